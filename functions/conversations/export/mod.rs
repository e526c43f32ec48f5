//! Exports of one conversation, of all conversations, and of the whole account.

pub(super) mod account;
pub(super) mod all;
pub(super) mod one;
