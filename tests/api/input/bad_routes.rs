//! The table of `bad_requests.rs`: everything that routes of conversations read, with invalid values.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{User, path_of};

/// Part of refused input. No answer may contain it.
pub(crate) const ECHO: &str = "ECHO7f3a";

/// A route, its valid body, and invalid values.
#[derive(Default)]
pub(crate) struct Route {
    pub(crate) key: &'static str,
    /// A valid body; null if the route reads none.
    pub(crate) good: Value,
    /// JSON pointers of fields with invalid values.
    pub(crate) fields: Vec<(&'static str, Vec<Value>)>,
    /// Query parameters with invalid values.
    pub(crate) queries: Vec<(&'static str, Vec<&'static str>)>,
    /// Whether the route reads `If-Match` and `Idempotency-Key`.
    pub(crate) headers: &'static [&'static str],
    /// Whether unknown fields are refused. Routes of the old contract ignore them.
    pub(crate) strict: bool,
}

/// The beginnings of the paths in the table.
pub(crate) const ROUTES_OF: [&str; 4] =
    ["/api/conversations", "/api/import", "/api/export", "/api/auth/me/export"];
const EXPECTS: &[&str] = &["if-match"];
const ONCE: &[&str] = &["idempotency-key"];

fn text(most: usize) -> Vec<Value> {
    vec![json!(""), json!(ECHO.repeat(most / 8 + 1)), json!(format!("{ECHO}\0")), json!(7), json!([ECHO])]
}

fn said() -> Vec<Value> {
    vec![json!(null), json!(7), json!([ECHO]), json!({ECHO: 1}), json!(ECHO.repeat(8193))]
}

fn number(beyond: u64) -> Vec<Value> {
    vec![json!(-1), json!(1.5), json!("1"), json!(beyond), json!(1e300), json!([1]), json!(u64::MAX)]
}

fn flag() -> Vec<Value> {
    vec![json!("true"), json!(1), json!([true])]
}

const CURSORS: &[&str] = &["", "x", "%00", "AAAA", "ECHO7f3a", "LTE", "%FF", "..%2F..", "%F0%9F%8E%89"];
const FLAGS: &[&str] = &["", "yes", "1", "TRUE", "ECHO7f3a", "%00"];
const LIMITS: &[&str] = &["", "0", "101", "-1", "1.5", "ECHO7f3a", "99999999999999999999", "%00"];

fn cursor() -> (&'static str, Vec<&'static str>) {
    ("cursor", CURSORS.to_vec())
}

fn word(name: &'static str) -> (&'static str, Vec<&'static str>) {
    (name, vec!["", "ECHO7f3a", "All", "%00", "true"])
}

fn whole() -> Route {
    let message =
        json!({"id": "m", "role": "user", "content": "hello", "timestamp": 1, "model": "gpt-4", "tokens": 1});
    Route {
        good: json!({"title": "T", "messages": [message], "createdAt": 1, "updatedAt": 2, "model": "gpt-4", "systemPrompt": "P"}),
        fields: vec![
            ("/title", text(256)),
            ("/model", text(128)),
            ("/createdAt", number(253_402_207_200_001)),
            ("/updatedAt", number(253_402_207_200_001)),
            ("/systemPrompt", vec![json!(7), json!(ECHO.repeat(8193))]),
            (
                "/messages",
                vec![json!(null), json!(ECHO), json!({}), json!([null]), json!([[]]), json!([ECHO])],
            ),
            ("/messages/0/id", text(128)),
            ("/messages/0/role", vec![json!(""), json!("User"), json!(ECHO), json!(null), json!(["user"])]),
            ("/messages/0/content", said()),
            ("/messages/0/timestamp", number(253_402_207_200_001)),
            ("/messages/0/model", text(128)),
            ("/messages/0/tokens", number(1_000_000_001)),
        ],
        ..Route::default()
    }
}

fn reading() -> Vec<Route> {
    vec![
        Route {
            key: "GET /api/conversations",
            queries: vec![
                ("limit", LIMITS.to_vec()),
                ("archived", FLAGS.to_vec()),
                ("pinned", FLAGS.to_vec()),
                (
                    "tag",
                    vec![
                        "",
                        "%00",
                        "a%0Ab",
                        "ECHO7f3aECHO7f3aECHO7f3aECHO7f3aECHO7f3aECHO7f3aECHO7f3aECHO7f3aE",
                    ],
                ),
                ("folder", vec!["", "%00", "a%0Ab"]),
                word("view"),
                cursor(),
            ],
            ..Route::default()
        },
        Route {
            key: "GET /api/conversations/{id}",
            queries: vec![("messages", LIMITS.to_vec()), word("branch"), cursor()],
            ..Route::default()
        },
        Route {
            key: "GET /api/conversations/{id}/messages",
            queries: vec![("limit", LIMITS.to_vec()), word("order"), word("branch"), cursor()],
            ..Route::default()
        },
        Route {
            key: "GET /api/conversations/{id}/export",
            queries: vec![word("format"), cursor()],
            ..Route::default()
        },
        Route { key: "GET /api/export", queries: vec![cursor()], ..Route::default() },
        Route { key: "GET /api/auth/me/export", queries: vec![cursor()], ..Route::default() },
    ]
}

fn changing_conversations() -> Vec<Route> {
    let mut create = Route { key: "POST /api/conversations", headers: ONCE, ..whole() };
    create.fields.push(("/id", text(128)));
    vec![
        create,
        Route { key: "PUT /api/conversations/{id}", headers: EXPECTS, ..whole() },
        Route {
            key: "PATCH /api/conversations/{id}",
            good: json!({"title": "T", "systemPrompt": "P", "model": "m", "pinned": true, "archived": true,
                "tags": ["a"], "folder": "F"}),
            fields: vec![
                ("/title", text(256)),
                ("/systemPrompt", vec![json!(7), json!(ECHO.repeat(8193)), json!([])]),
                ("/model", text(128)),
                ("/pinned", flag()),
                ("/archived", flag()),
                (
                    "/tags",
                    vec![
                        json!(ECHO),
                        json!([""]),
                        json!(["a", "a"]),
                        json!(vec!["x"; 21]),
                        json!([ECHO.repeat(9)]),
                    ],
                ),
                ("/folder", text(128)),
                ("/currentMessageId", vec![json!("none"), json!(""), json!(7), json!(format!("{ECHO}\0"))]),
                ("", vec![json!({}), json!({"title": null, "pinned": null})]),
            ],
            headers: EXPECTS,
            strict: true,
            ..Route::default()
        },
    ]
}

fn changing_many() -> Vec<Route> {
    vec![
        Route { key: "DELETE /api/conversations/{id}", headers: EXPECTS, ..Route::default() },
        Route {
            key: "POST /api/conversations/delete",
            good: json!({"ids": ["none"]}),
            fields: vec![
                (
                    "/ids",
                    vec![
                        json!(ECHO),
                        json!([""]),
                        json!([7]),
                        json!({}),
                        json!(vec!["x"; 1001]),
                        json!(["a\nb"]),
                    ],
                ),
                (
                    "",
                    vec![
                        json!({}),
                        json!({"all": false}),
                        json!({"ids": [], "all": true}),
                        json!({"all": "true"}),
                    ],
                ),
            ],
            strict: true,
            ..Route::default()
        },
    ]
}

fn copying() -> Vec<Route> {
    vec![
        Route {
            key: "POST /api/conversations/{id}/fork",
            good: json!({"messageId": "m0", "id": "copy"}),
            fields: vec![
                (
                    "/messageId",
                    vec![json!("none"), json!(""), json!(7), json!(null), json!(format!("{ECHO}\0"))],
                ),
                ("/id", text(128)),
                ("", vec![json!({})]),
            ],
            headers: ONCE,
            strict: true,
            ..Route::default()
        },
        Route {
            key: "POST /api/import",
            good: json!([]),
            fields: vec![(
                "",
                vec![
                    json!({}),
                    json!({"conversations": {}}),
                    json!({"conversations": null}),
                    json!({ECHO: []}),
                ],
            )],
            ..Route::default()
        },
    ]
}

fn changing_messages() -> Vec<Route> {
    vec![
        Route {
            key: "POST /api/conversations/{id}/messages",
            good: json!({"id": "new", "role": "user", "content": "x", "timestamp": 1, "model": "m", "tokens": 1,
                "parentId": "m0"}),
            fields: vec![
                ("/id", text(128)),
                ("/role", vec![json!(""), json!("User"), json!(ECHO), json!(null), json!(["user"])]),
                ("/content", said()),
                ("/timestamp", number(253_402_207_200_001)),
                ("/model", text(128)),
                ("/tokens", number(1_000_000_001)),
                (
                    "/parentId",
                    vec![json!("none"), json!(""), json!(7), json!(ECHO), json!(format!("{ECHO}\0"))],
                ),
                ("", vec![json!({}), json!({"role": "user"}), json!({"content": "x"})]),
            ],
            headers: &["if-match", "idempotency-key"],
            strict: true,
            ..Route::default()
        },
        Route {
            key: "PATCH /api/conversations/{id}/messages/{messageId}",
            good: json!({"content": "x", "tokens": 1, "model": "m"}),
            fields: vec![
                (
                    "/content",
                    vec![json!(7), json!([ECHO]), json!("é".repeat(131_073)), json!(ECHO.repeat(8193))],
                ),
                ("/tokens", number(1_000_000_001)),
                ("/model", text(128)),
                ("", vec![json!({}), json!({"content": null}), json!({"role": "user"})]),
            ],
            headers: EXPECTS,
            strict: true,
            ..Route::default()
        },
        Route {
            key: "DELETE /api/conversations/{id}/messages/{messageId}",
            headers: EXPECTS,
            ..Route::default()
        },
        Route { key: "POST /api/conversations/{id}/messages/{messageId}/stop", ..Route::default() },
    ]
}

/// The table.
pub(crate) fn routes() -> Vec<Route> {
    reading()
        .into_iter()
        .chain(changing_conversations())
        .chain(changing_many())
        .chain(copying())
        .chain(changing_messages())
        .collect()
}

impl Route {
    pub(crate) fn method(&self) -> Method {
        self.key.split(' ').next().unwrap().parse().unwrap()
    }

    pub(crate) fn path(&self) -> String {
        self.path_with("kept", "m0")
    }

    pub(crate) fn path_with(&self, id: &str, message: &str) -> String {
        let segment = |text: &str| path_of(text).rsplit_once('/').unwrap().1.to_owned();
        let path = self.key.split(' ').nth(1).unwrap();
        path.replace("{id}", &segment(id)).replace("{messageId}", &segment(message))
    }

    pub(crate) fn request(&self, user: &User, path: &str) -> RequestBuilder {
        let request = user.request(self.method(), path);
        if self.good.is_null() { request } else { request.json(&self.good) }
    }
}
