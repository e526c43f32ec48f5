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
mod actors;
mod any_size;
mod asyncapi;
mod bad_input;
mod bad_requests;
mod bad_routes;
mod branches;
mod broken_imports;
mod broken_off;
mod browser;
mod budgets;
mod canary;
mod case_provider;
mod case_variants;
mod cases;
mod chat;
mod conform;
mod conversations;
mod costs;
mod crowd;
mod departure;
mod deployed;
mod documents;
mod echoes;
mod emulator;
mod events;
mod faults;
mod forgeries;
mod guesses;
mod imports;
mod isolation;
mod keys;
mod left_out;
mod left_over;
mod limits;
mod mails;
mod matrix;
mod memory;
mod names;
mod old_clients;
mod outside;
mod pages;
mod parameters;
mod passwords;
mod profile;
mod property;
mod provider;
mod providers;
mod questions;
mod realtime;
mod regenerate;
mod repair;
mod replies;
mod reservations;
mod restart;
mod resume;
mod revoked;
mod rotation;
mod sessions;
mod site;
mod small_changes;
mod sockets;
mod spending;
mod statistics;
mod stop;
mod stored_chat;
mod strangers;
mod template;
mod tidy;
mod tidy_documents;
mod totp;
mod transfer;
mod turn_budget;
mod two_devices;
