//! What tests have in common: studios, clients, users, connections, and providers of models.

mod actors;
pub(crate) mod case_provider;
pub(crate) mod conform;
mod deployed;
pub(crate) mod provider;

pub(crate) use actors::{
    Answer, Client, PASSWORD, PATIENCE, TestStudio, User, Window, eventually, eventually_each, studio,
    studio_with,
};
pub(crate) use conform::send;
