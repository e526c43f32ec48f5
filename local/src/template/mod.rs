//! Reads `template.yaml`, the only list of routes, functions, tables, variables and permissions.
//!
//! Only the values that a local studio needs are evaluated. If one cannot be evaluated, the error names its resource.

mod functions;
mod http_api;
mod listing;
mod node;
mod permissions;
mod queues;
mod resolve;
mod secrets;
mod tables;
#[cfg(test)]
mod tests;
mod websocket_api;

use std::{collections::BTreeMap, fs, time::Duration};

pub use listing::{Route, document, heads, routes};
use node::Node;
use resolve::Resolver;
pub(crate) use resolve::{ACCOUNT, REGION};
pub(crate) use secrets::SecretName;

use crate::{error::Error, options::Options};

/// The reason why a template is invalid, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(String);

impl TemplateError {
    fn within(self, place: &str) -> Self {
        Self(format!("{place}: {}", self.0))
    }
}

/// An evaluated template.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) functions: Vec<FunctionDefinition>,
    /// The tables.
    pub(crate) tables: Vec<TableDefinition>,
    pub(crate) queues: Vec<QueueDefinition>,
    pub(crate) cors: Option<Cors>,
    pub(crate) websocket: Option<WebSocketDefinition>,
    /// The logical ids of the HTTP APIs, whose deployed addresses are in variables.
    pub(crate) http_apis: Vec<String>,
    /// The logical ids of the secrets that the template generates.
    made_secrets: Vec<String>,
}

/// A function.
#[derive(Clone, Debug)]
pub(crate) struct FunctionDefinition {
    /// The logical id, which is also the local name.
    pub(crate) name: String,
    /// The name of the executable.
    pub(crate) binary: String,
    pub(crate) timeout: Duration,
    pub(crate) memory_mb: u64,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) routes: Vec<RouteDefinition>,
    pub(crate) asynchronous: AsynchronousCalls,
    /// The queues that the function consumes.
    pub(crate) queues: Vec<QueueSource>,
    pub(crate) permissions: Vec<Permission>,
}

/// A permission of a function. Actions and resources are patterns, in which `*` matches any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permission {
    pub(crate) actions: Vec<String>,
    pub(crate) resources: Vec<String>,
}

/// A queue that is an event source of a function.
#[derive(Clone, Debug)]
pub(crate) struct QueueSource {
    pub(crate) queue: String,
    /// The maximum number of messages in an event.
    pub(crate) batch: usize,
    /// Whether the answer of the function names the messages that failed.
    pub(crate) names_failures: bool,
}

/// A queue.
#[derive(Clone, Debug)]
pub(crate) struct QueueDefinition {
    /// The logical id, which is also the local name.
    pub(crate) name: String,
    pub(crate) arn: String,
    /// The dead-letter queue, and the number of failed deliveries after which a message moves to it.
    pub(crate) redrive: Option<(String, u32)>,
}

/// A route of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteDefinition {
    /// The method in upper case, or `ANY`.
    pub(crate) method: String,
    pub(crate) path: String,
}

/// The settings of asynchronous invocations of a function.
#[derive(Clone, Debug)]
pub(crate) struct AsynchronousCalls {
    pub(crate) retries: u32,
    pub(crate) max_age: Duration,
    /// The destination for records of failed calls.
    pub(crate) on_failure: Option<FailureDestination>,
}

/// A destination for records of failed calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FailureDestination {
    /// The function with this name.
    Function(String),
    /// The queue with this name.
    Queue(String),
}

/// A table.
#[derive(Debug)]
pub(crate) struct TableDefinition {
    pub(crate) name: String,
    /// The `CreateTable` request.
    pub(crate) create: serde_json::Value,
    /// The attribute with the expiry time of items.
    pub(crate) ttl_attribute: Option<String>,
}

/// The CORS settings of the HTTP API.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cors {
    pub(crate) origins: Vec<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) expose: Vec<String>,
    pub(crate) credentials: bool,
    pub(crate) max_age: Option<u64>,
}

/// The WebSocket API.
#[derive(Clone, Debug)]
pub(crate) struct WebSocketDefinition {
    /// The logical id of the API.
    pub(crate) id: String,
    pub(crate) stage: String,
    /// The path to the route key in the JSON of a frame: `["type"]` for `$request.body.type`.
    pub(crate) selection: Vec<String>,
    /// The functions by route key.
    pub(crate) routes: BTreeMap<String, String>,
}

impl Template {
    /// Reads and evaluates the template of a studio.
    pub(crate) fn read(options: &Options) -> Result<Self, Error> {
        let path = options.template.clone();
        let source = match fs::read_to_string(&path) {
            Ok(source) => source,
            Err(source) => return Err(Error::ReadTemplate { path, source }),
        };
        Self::parse(&source, &options.variables).map_err(|source| Error::Template { path, source })
    }

    /// Evaluates `source`. `variables` replace variables of functions, and defaults of parameters (`ALLOWED_ORIGINS`
    /// sets `AllowedOrigins`).
    pub(crate) fn parse(source: &str, variables: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let template = Node::parse(source)?;
        let resolver = Resolver::new(&template, variables)?;
        let functions = functions::read(&template, &resolver, variables)?;
        if functions.is_empty() {
            return Err(TemplateError("the template has no function".to_owned()));
        }
        let websocket = websocket_api::read(&template, &resolver, &functions)?;
        let queues = queues::read(&template, &resolver)?;
        queues::check(&functions, &queues)?;
        Ok(Self {
            tables: tables::read(&template, &resolver)?,
            queues,
            cors: http_api::read_cors(&template, &resolver)?,
            http_apis: resources(&template, "AWS::Serverless::HttpApi")
                .map(|(id, _)| id.to_owned())
                .collect(),
            made_secrets: secrets::made(&template),
            functions,
            websocket,
        })
    }
}

/// The resources of a type, each with its logical id.
fn resources<'a>(template: &'a Node, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Node)> {
    template
        .get("Resources")
        .map(Node::entries)
        .unwrap_or_default()
        .iter()
        .filter(move |(_, resource)| resource.get("Type").and_then(Node::text) == Some(kind))
        .map(|(id, resource)| (id.as_str(), resource))
}
