//! The code that the Lambda functions of AI Chat Studio share.
//!
//! The modules form layers, and imports only go down (a `tidy` test enforces it): `chat`, `accounts` and `http`; then
//! `sockets` and `auth`; then `store`, `models` and `aws`; at the bottom `domain` and the files of this folder.

pub mod accounts;
pub mod auth;
pub mod aws;
pub mod chat;
pub mod clock;
pub mod config;
pub mod domain;
pub mod error;
pub mod http;
pub mod json;
pub mod models;
pub mod retry;
pub mod sockets;
pub mod store;
pub mod telemetry;
mod tls;

pub use error::{Error, Result};
