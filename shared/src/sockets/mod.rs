//! The WebSocket protocol: its frames, and pushing them to the connections of a user.

pub mod frame;
mod push;

pub use frame::ServerFrame;
pub use push::{Delivery, Push};
