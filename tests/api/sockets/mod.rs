//! WebSocket connections.

pub(crate) mod crowd;
pub(crate) mod frames;
pub(crate) mod limits;
pub(crate) mod old_clients;
pub(crate) mod unauthenticated;
