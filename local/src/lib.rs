//! AI Chat Studio on one machine: API Gateway, Lambda, DynamoDB, Secrets Manager, SES and SQS around the real
//! function binaries.
//!
//! [`Studio::start`] reads `template.yaml` and serves what it names: an HTTP API and a WebSocket API on one
//! public port, the functions as processes that speak the real Lambda Runtime API, and an embedded DynamoDB.
//! It is as strict as AWS, limits and error bodies included, and it can let things go wrong
//! ([`Studio::faults`]). `cargo run` runs one; tests run many at once.
//!
//! What it does not have: throttling of its own, cold starts as slow as the cloud's, eventual
//! consistency.

mod access;
mod clock;
pub mod command;
mod data_folder;
mod dot_env;
mod dynamodb;
mod error;
mod faults;
mod gateway;
mod http1;
mod internal;
mod lambda;
mod listener;
mod mailbox;
mod options;
mod permissions;
mod placeholders;
mod places;
mod private_files;
mod progress;
mod queues;
mod random;
mod secrets;
mod settings;
mod studio;
mod sync;
mod template;

pub use dynamodb::{Reading, Usage};
pub use error::Error;
pub use faults::{ConnectionFault, DynamoDbFault, Faults, InvocationFault, MailFault, Target, When};
pub use lambda::InvokeError;
pub use mailbox::Mail;
pub use options::{Data, Echo, Limits, Options};
pub use studio::Studio;
pub use template::{Route, TemplateError, document, heads, routes};
