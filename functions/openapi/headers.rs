//! The headers of answers.

use std::collections::BTreeMap;

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Response};

/// Every header that an answer of a function may have, except those that only browsers use.
const HEADERS: [(&str, Type, &str); 12] = [
    ("ETag", Type::String, "The version of the conversation, in quotes; for `If-Match` and `If-None-Match`."),
    ("Link", Type::String, "The address of the next page, if there is one: `<…>; rel=\"next\"`."),
    ("Location", Type::String, "The address at which the result will be."),
    ("Preference-Applied", Type::String, "`respond-async`."),
    ("Cache-Control", Type::String, "`no-store` for personal data."),
    ("Retry-After", Type::Integer, "The number of seconds after which to retry."),
    ("WWW-Authenticate", Type::String, "`Bearer`."),
    ("X-RateLimit-Limit", Type::Integer, "The number of requests allowed in a window, if there is a limit."),
    ("X-RateLimit-Remaining", Type::Integer, "The number of requests left in the window."),
    ("X-RateLimit-Reset", Type::Integer, "The time at which the next window begins, in seconds since 1970."),
    ("X-Process-Time", Type::Number, "The duration of the request in seconds."),
    ("X-Request-Id", Type::String, "The id of the request, which is also in the logs."),
];

/// The headers as components, for routes to refer to.
pub(super) fn all() -> BTreeMap<String, RefOr<Header>> {
    let header = |kind: Type, description: &str| {
        let schema = ObjectBuilder::new().schema_type(kind);
        HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
    };
    HEADERS.into_iter().map(|(name, kind, about)| (name.to_owned(), header(kind, about).into())).collect()
}

/// A reference to a header.
pub(super) fn refer(name: &str) -> (String, RefOr<Header>) {
    (name.to_owned(), RefOr::Ref(Ref::new(format!("#/components/headers/{name}"))))
}

/// Adds the headers that every answer of a route has, and turns the headers that its handler names into references.
pub(super) fn add(operation: &mut Operation, method: &HttpMethod) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let named: Vec<String> = response.headers.keys().cloned().collect();
        response.headers = named.iter().map(|name| refer(name)).collect();
        add_common(response);
        // Reads with a valid token are not counted.
        if *method != HttpMethod::Get || matches!(status.as_str(), "401" | "429") {
            add_allowance(response);
        }
    }
}

/// Adds the headers that every answer has.
pub(super) fn add_common(response: &mut Response) {
    response.headers.extend(["Cache-Control", "X-Process-Time", "X-Request-Id"].map(refer));
}

/// Adds the headers that report how many requests the caller has left.
pub(super) fn add_allowance(response: &mut Response) {
    response.headers.extend(["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"].map(refer));
}
