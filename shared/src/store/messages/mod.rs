//! Single messages of a conversation, and its branches.

pub(super) mod append;
pub(super) mod branches;
pub(super) mod update;
