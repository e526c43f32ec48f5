//! Accounts: registration, profile, passwords, mails, sessions, API keys, and the end of an account.

pub(crate) mod account_deletion;
pub(crate) mod api_keys;
pub(crate) mod mails;
pub(crate) mod passwords;
pub(crate) mod profile;
pub(crate) mod registration;
pub(crate) mod second_factor;
pub(crate) mod sessions;
