//! WebSocket connections.

mod crowd;
mod frames;
mod limits;
mod old_clients;
mod unauthenticated;
