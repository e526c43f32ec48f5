//! API keys, with which programs act as a user.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod list;
