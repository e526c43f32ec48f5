//! Runs AI Chat Studio on one machine: API Gateway, Lambda, DynamoDB, Secrets Manager, SES and SQS around the real
//! function binaries.
//!
//! [`Studio::start`] reads `template.yaml` and starts what it names: an HTTP API and a WebSocket API on one public
//! port, the functions as processes that use the real Lambda Runtime API, and an embedded DynamoDB. It enforces the
//! limits of AWS, returns the same error bodies, and can inject faults ([`Studio::faults`]). `cargo run` starts one
//! studio; tests start many in one process.
//!
//! It has no throttling, no eventual consistency, and faster cold starts than the cloud.

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
