//! Chats: turns, replies, and what is done to a reply while it is made.

pub(crate) mod prompts;
pub(crate) mod regenerate;
pub(crate) mod resume;
pub(crate) mod stop;
pub(crate) mod stored;
pub(crate) mod turns;
pub(crate) mod unstored;
