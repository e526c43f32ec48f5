//! Conversations and their messages.

pub(crate) mod any_size;
pub(crate) mod branches;
pub(crate) mod broken_imports;
pub(crate) mod imports;
pub(crate) mod names;
pub(crate) mod omitted_fields;
pub(crate) mod pages;
pub(crate) mod small_changes;
pub(crate) mod statistics;
pub(crate) mod storage;
pub(crate) mod transfer;
