//! The Lambda functions of AI Chat Studio, one module each. `main.rs` starts the function, `mod.rs` maps the route
//! keys of `template.yaml` to handlers, and each handler has a file.

#[cfg(test)]
mod asyncapi;
pub mod auth;
pub mod chat;
pub mod conversations;
mod costs;
mod done;
pub mod openapi;
mod queries;
pub mod replies;
pub mod site;
pub mod sockets;
pub mod start;
pub mod stats;
pub mod tasks;
