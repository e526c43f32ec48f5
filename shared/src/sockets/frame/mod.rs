//! The frames of the WebSocket protocol as JSON on the wire.

mod client;
mod server;

pub use client::{AboutReply, Auth, Chat, Regenerate, Typing};
pub use server::{Authenticated, FramePart, Reply, ServerFrame};
