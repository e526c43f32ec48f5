//! Replies, from the turn that requests one to its end.

pub(super) mod checkpoint;
pub(super) mod control;
pub(super) mod finish;
pub(super) mod item;
pub(super) mod known_turn;
pub(super) mod orphans;
pub(super) mod raise;
pub(super) mod regenerate;
pub(super) mod start;
mod turn_start;
