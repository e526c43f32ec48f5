//! What a client sees over HTTP and WebSocket. A studio runs the real function binaries and the embedded DynamoDB.
//! Tests that only act as clients share one (`shared_studio`); tests that look inside, inject faults or set options
//! start their own (`own_studio`, `studio_with`). Tests speak JSON as a client would, and know nothing of the code
//! inside.

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
