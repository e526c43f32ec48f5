//! The internal port, which only functions can use.

use std::sync::Arc;

use http::Request;

use crate::{
    access::{Caller, Door},
    gateway::Connections,
    http1::{Answer, Body},
    lambda::{Asynchronous, Functions, invoke_api, runtime_api},
    mailbox::{self, Mailbox},
    secrets::Secrets,
};

/// The services on the internal port: the Runtime API, the Invoke API, `@connections`, Secrets Manager and SES.
pub(crate) struct Internal {
    pub(crate) door: Door,
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
    pub(crate) async fn handle(&self, request: Request<Body>) -> Answer {
        let path = request.uri().path();
        let is_aws_call = ["/", mailbox::PATH].contains(&path)
            || path.starts_with(invoke_api::PREFIX)
            || path.starts_with(&self.connections_prefix);
        let caller = if is_aws_call { self.door.signer(&request) } else { self.door.runtime(&request) };
        match caller {
            Ok(caller) if is_aws_call => self.aws_call(&caller, request).await,
            Ok(caller) => runtime_api::handle(&self.functions, &caller, request).await,
            Err(refusal) => *refusal,
        }
    }

    async fn aws_call(&self, caller: &Caller, request: Request<Body>) -> Answer {
        let path = request.uri().path();
        if path.starts_with(invoke_api::PREFIX) {
            return invoke_api::handle(&self.asynchronous, caller, request).await;
        }
        if let Some(id) = path.strip_prefix(&self.connections_prefix) {
            let id = id.to_owned();
            return self.connections.handle(caller, request, &id).await;
        }
        match path {
            "/" => self.secrets.handle(caller, request).await,
            _ => self.mailbox.handle(caller, request).await,
        }
    }
}
