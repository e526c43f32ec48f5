//! Operations on single messages of a conversation, and on its branches.

pub(super) mod append;
pub(super) mod branches;
pub(super) mod update;
