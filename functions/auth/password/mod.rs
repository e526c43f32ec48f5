//! Changing and resetting the password.

pub(super) mod change;
pub(super) mod forgot;
pub(super) mod reset;
