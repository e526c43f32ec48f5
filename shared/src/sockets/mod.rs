//! The WebSocket protocol: its frames, and pushing them to the connections of a user.

pub mod frame;
pub mod parts;
mod push;

pub use frame::ServerFrame;
pub use push::{Closing, Delivery, Push};
