//! The routes of a template and its content as JSON, for tests that compare them with the code.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Template, TemplateError, node::Node};

/// A route and the executable that handles it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The route key as in events: `GET /api/conversations/{id}` or `$connect`.
    pub key: String,
    /// The name of the executable.
    pub binary: String,
}

/// All HTTP and WebSocket routes of a template in order, without those of `HEAD`.
///
/// # Errors
/// When the template is invalid.
pub fn routes(source: &str) -> Result<Vec<Route>, TemplateError> {
    Ok(all(source)?.into_iter().filter(|route| !route.key.starts_with(HEAD)).collect())
}

/// The `HEAD` routes of a template, with the keys of the `GET` routes that they belong to.
///
/// # Errors
/// When the template is invalid.
pub fn heads(source: &str) -> Result<Vec<Route>, TemplateError> {
    let as_get = |route: Route| {
        let path = route.key.strip_prefix(HEAD)?;
        Some(Route { key: format!("GET {path}"), binary: route.binary })
    };
    Ok(all(source)?.into_iter().filter_map(as_get).collect())
}

const HEAD: &str = "HEAD ";

fn all(source: &str) -> Result<Vec<Route>, TemplateError> {
    let template = Template::parse(source, &BTreeMap::new())?;
    let mut routes = Vec::new();
    for function in &template.functions {
        let http = function.routes.iter().map(|route| format!("{} {}", route.method, route.path));
        let sockets = template.websocket.iter().flat_map(|api| &api.routes);
        let sockets =
            sockets.filter(|(_, served_by)| **served_by == function.name).map(|(key, _)| key.clone());
        routes.extend(http.chain(sockets).map(|key| Route { key, binary: function.binary.clone() }));
    }
    routes.sort();
    Ok(routes)
}

/// A template as JSON without evaluation: every scalar is a text, and CloudFormation functions have their long form.
///
/// # Errors
/// When the template is not YAML.
pub fn document(source: &str) -> Result<Value, TemplateError> {
    Node::parse(source).map(|node| json_of(&node))
}

fn json_of(node: &Node) -> Value {
    match node {
        Node::Text(text) => json!(text),
        Node::List(items) => items.iter().map(json_of).collect(),
        Node::Map(entries) => entries.iter().map(|(key, value)| (key.clone(), json_of(value))).collect(),
        Node::Call(name, argument) if name == "Ref" => json!({ "Ref": json_of(argument) }),
        Node::Call(name, argument) => json!({ format!("Fn::{name}"): json_of(argument) }),
    }
}
