//! Single messages of a conversation.

pub(super) mod append;
pub(super) mod delete;
pub(super) mod edit;
pub(super) mod list;
