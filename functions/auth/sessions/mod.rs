//! Sessions: a login begins one, refresh tokens continue it, and its user ends it.

pub(super) mod delete;
pub(super) mod list;
pub(super) mod login;
pub(super) mod logout;
pub(super) mod logout_all;
pub(super) mod refresh;
pub(super) mod ws_ticket;
