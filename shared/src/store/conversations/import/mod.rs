//! Importing conversations, once however often.

pub(in crate::store) mod complete;
pub(in crate::store) mod create;
pub(in crate::store) mod tree;
