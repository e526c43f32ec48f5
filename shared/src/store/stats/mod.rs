//! Counters: of a user, of the whole studio, and of what replies use.

pub(super) mod studio;
pub(super) mod usage;
pub(super) mod user;
