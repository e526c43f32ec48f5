//! Chats: turns, replies, and what is done to a reply while it is made.

mod prompts;
mod regenerate;
mod resume;
mod stop;
mod stored;
mod turns;
mod unstored;
