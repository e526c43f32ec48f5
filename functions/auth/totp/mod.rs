//! The second factor: enrolled, confirmed, removed.

pub(super) mod confirm;
pub(super) mod disable;
pub(super) mod enrol;
