//! The internal port, which only the functions know.

use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;

use crate::{
    gateway::Connections,
    http1::Answer,
    lambda::{Asynchronous, Functions, invoke_api, runtime_api},
    mailbox::{self, Mailbox},
    secrets::Secrets,
};

/// What listens on the internal port: the Runtime API, the Invoke API, `@connections`, Secrets Manager and SES.
pub(crate) struct Internal {
    pub(crate) functions: Arc<Functions>,
    pub(crate) connections: Connections,
    /// `/{stage}/@connections/`.
    pub(crate) connections_prefix: String,
    pub(crate) asynchronous: Asynchronous,
    pub(crate) secrets: Secrets,
    pub(crate) mailbox: Mailbox,
}

impl Internal {
    /// Answers one request.
    pub(crate) async fn handle(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path();
        if path.starts_with(invoke_api::PREFIX) {
            return invoke_api::handle(&self.asynchronous, request).await;
        }
        if let Some(id) = path.strip_prefix(&self.connections_prefix) {
            let id = id.to_owned();
            return self.connections.handle(request, &id).await;
        }
        match path {
            "/" => self.secrets.handle(request).await,
            mailbox::PATH => self.mailbox.handle(request).await,
            _ => runtime_api::handle(&self.functions, request).await,
        }
    }
}
