//! The second factor: enrolling, confirming and removing it.

pub(super) mod confirm;
pub(super) mod disable;
pub(super) mod enrol;
