//! Conversations: their items, and the operations on whole conversations.

pub(super) mod cleanup;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod diff;
pub(super) mod filing;
pub(super) mod import;
pub(super) mod item;
pub(super) mod list;
pub(super) mod message_item;
pub(super) mod read;
pub(super) mod replace;
pub(super) mod slot;
pub(super) mod staged;
pub(super) mod update;
pub(super) mod version;
pub(super) mod whole;
