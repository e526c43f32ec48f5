//! The routes of a template, for tests that hold them against the code.

use std::collections::BTreeMap;

use super::{Template, TemplateError};

/// A route, and the executable that serves it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The route key, as events carry it: `GET /api/conversations/{id}`, or `$connect`.
    pub key: String,
    /// The name of the executable.
    pub binary: String,
}

/// Every route of a template, HTTP and WebSocket, in order.
///
/// # Errors
/// When the template cannot be used.
pub fn routes(source: &str) -> Result<Vec<Route>, TemplateError> {
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
