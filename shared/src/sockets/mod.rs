//! The WebSocket protocol: its frames, how long texts are split into frames, and the client that pushes them.

pub mod frame;
mod push;
pub mod split;

pub use frame::ServerFrame;
pub use push::{Closing, Push};
