//! Importing conversations. Importing the same conversation again changes nothing.

pub(in crate::store) mod complete;
pub(in crate::store) mod create;
pub(in crate::store) mod tree;
