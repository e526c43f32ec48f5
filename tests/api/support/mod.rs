//! What tests have in common: studios, clients, users, connections, and fake providers of models.

mod answer;
mod client;
pub(crate) mod conform;
mod connection;
mod conversations;
mod database;
mod deployed;
mod mail;
mod poll;
pub(crate) mod provider;
mod recount;
mod second_factor;
mod shared;
mod shown;
mod studio;
mod user;

pub(crate) use answer::Answer;
pub(crate) use client::Client;
pub(crate) use conform::send;
pub(crate) use connection::Connection;
pub(crate) use conversations::{chat_frame, counted, ids, path_of, read, sort_messages};
pub(crate) use database::{conversation_items, dynamodb, finish_notes, move_into_past, notes};
pub(crate) use mail::mailed_token;
pub(crate) use poll::{WAIT_TIMEOUT, eventually, eventually_each};
pub(crate) use recount::assert_statistics_match;
pub(crate) use second_factor::{code, enrol};
pub(crate) use shown::Shown;
pub(crate) use studio::{TestStudio, busy_studio, own_studio, shared_studio, slow_studio, studio_with};
pub(crate) use user::{PASSWORD, User};
