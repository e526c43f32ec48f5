//! Conversations and their messages.

mod any_size;
mod branches;
mod broken_imports;
mod imports;
mod listing;
mod names;
mod omitted_fields;
mod pages;
mod small_changes;
mod statistics;
mod storage;
mod texts;
mod transfer;
