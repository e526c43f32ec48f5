//! What the functions of AI Chat Studio have in common.
//!
//! The modules stand on floors, and imports only go down (a `tidy` test says so): `replies`, `accounts` and `http`; then
//! `sockets` and `auth`; then `store`, `models`, `mail`, `secrets`, `handover`, `config` and `telemetry`; at the ground
//! `domain`, `error`, `json`, `clock` and `tls`.

pub mod accounts;
pub mod auth;
pub mod clock;
pub mod config;
pub mod domain;
pub mod error;
pub mod handover;
pub mod http;
pub mod json;
pub mod mail;
pub mod models;
pub mod replies;
pub mod secrets;
pub mod sockets;
pub mod store;
pub mod telemetry;
mod tls;

pub use error::{Error, Result};
