//! The functions of AI Chat Studio, one module a deployed Lambda function. In each, `mod.rs` leads from route keys
//! to handlers, spelled as in `template.yaml`; each handler is a file; `main.rs` is the cold start.

#[cfg(test)]
mod asyncapi;
pub mod auth;
pub mod chat;
pub mod conversations;
mod costs;
pub mod openapi;
mod queries;
pub mod replies;
pub mod site;
pub mod sockets;
pub mod start;
pub mod stats;
pub mod tasks;
