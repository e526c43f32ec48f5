//! What the query of each route may hold, for its handler, for the check of unknown parameters, and for the document of the API,
//! which a test holds against it. A route that is not named here takes no query.

use shared::http::Parameters;

/// Routes of the old contract, whose clients may send what they like.
const OF_THE_OLD_CONTRACT: [(&str, &[&str]); 17] = [
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
    // What the pages load.
    ("GET /docs/{folder}/{file}", &[]),
];

const OTHERS: [(&str, &[&str]); 4] = [
    ("GET /api/conversations/{id}/messages", &["limit", "order", "branch", "cursor"]),
    ("GET /api/conversations/{id}/export", &["format", "cursor"]),
    ("GET /api/export", &["cursor"]),
    ("GET /api/auth/me/export", &["cursor"]),
];

/// The parameters of a route.
#[must_use]
pub(crate) fn of(route_key: &str) -> Parameters {
    let find = |routes: &[(&str, &'static [&'static str])]| {
        routes.iter().find(|(key, _)| *key == route_key).map(|(_, names)| *names)
    };
    if let Some(names) = find(&OF_THE_OLD_CONTRACT) {
        return Parameters::among_others(names);
    }
    Parameters::only(find(&OTHERS).unwrap_or_default())
}
