//! Accounts: users, credentials, and everything else of a user except conversations.

pub(super) mod api_keys;
pub(super) mod deletion;
pub(super) mod export;
pub(super) mod mail_tokens;
pub(super) mod own_account;
pub(super) mod profile;
pub(super) mod refresh_rotation;
pub(super) mod second_factor;
pub(super) mod sessions;
pub(super) mod user_item;
pub(super) mod users;
pub(super) mod ws_tickets;
