//! Counters: of each user, of the whole studio, and of the usage of models.

pub(super) mod studio;
pub(super) mod usage;
pub(super) mod user;
