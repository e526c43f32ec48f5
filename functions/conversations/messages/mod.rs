//! The messages of a conversation: listing, appending, changing and deleting them.

pub(super) mod append;
pub(super) mod delete;
pub(super) mod edit;
pub(super) mod list;
