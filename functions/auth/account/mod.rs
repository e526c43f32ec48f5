//! Accounts: registration, profile, email address, deletion.

pub(super) mod delete;
pub(super) mod me;
pub(super) mod profile;
pub(super) mod register;
pub(super) mod verify_email;
