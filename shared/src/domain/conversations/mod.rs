//! Conversations: messages, branches, versions, and the replies of models.

pub mod branch;
pub mod conversation;
pub mod generation;
pub mod message;
pub mod reply;
pub mod version;
