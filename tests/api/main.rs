//! What a client sees over HTTP and WebSocket. Each test has a studio of its own: the real function binaries, the
//! embedded DynamoDB, its own ports. Tests speak JSON as a client would, and know nothing of the code inside.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]
#![expect(clippy::print_stdout, reason = "a test prints the figures that it measured")]

mod accounts;
mod chat;
mod conversations;
mod deployment;
mod documents;
mod faults;
mod input;
mod limits;
mod providers;
mod security;
mod sockets;
mod support;
mod tidy;
