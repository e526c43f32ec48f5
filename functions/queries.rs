//! The query parameters of each route. A route that is not listed here has none. Handlers can read no others, and a
//! test compares the list with the OpenAPI document.

use shared::http::Parameters;

/// Routes of the original contract. They ignore unknown parameters, because existing clients may send some.
const LENIENT: [(&str, &[&str]); 17] = [
    ("GET /", &[]),
    ("GET /health", &[]),
    ("GET /docs", &[]),
    ("GET /redoc", &[]),
    ("GET /openapi.json", &[]),
    ("POST /api/auth/register", &[]),
    ("POST /api/auth/login", &[]),
    ("GET /api/auth/me", &[]),
    ("GET /api/conversations", &["limit", "view", "archived", "pinned", "tag", "folder", "cursor"]),
    ("POST /api/conversations", &[]),
    ("GET /api/conversations/{id}", &["messages", "branch", "cursor"]),
    ("PUT /api/conversations/{id}", &[]),
    ("DELETE /api/conversations/{id}", &[]),
    ("POST /api/chat", &[]),
    ("GET /api/stats", &[]),
    ("GET /api/stats/detailed", &[]),
    // The scripts and styles that the pages load.
    ("GET /docs/{folder}/{file}", &[]),
];

/// Routes that refuse unknown parameters.
const STRICT: [(&str, &[&str]); 4] = [
    ("GET /api/conversations/{id}/messages", &["limit", "order", "branch", "cursor"]),
    ("GET /api/conversations/{id}/export", &["format", "cursor"]),
    ("GET /api/export", &["cursor"]),
    ("GET /api/auth/me/export", &["cursor"]),
];

/// The query parameters of a route.
#[must_use]
pub(crate) fn of(route_key: &str) -> Parameters {
    let find = |routes: &[(&str, &'static [&'static str])]| {
        routes.iter().find(|(key, _)| *key == route_key).map(|(_, names)| *names)
    };
    if let Some(names) = find(&LENIENT) {
        return Parameters::lenient(names);
    }
    Parameters::strict(find(&STRICT).unwrap_or_default())
}
