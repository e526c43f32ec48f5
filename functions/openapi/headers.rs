//! Headers of answers.

use std::collections::BTreeMap;

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Response};

/// Every header that an answer of a function may carry, besides those that concern browsers alone.
const HEADERS: [(&str, Type, &str); 12] = [
    ("ETag", Type::String, "The version of the conversation, in quotes; for `If-Match` and `If-None-Match`."),
    ("Link", Type::String, "Where the next page is, if there is one: `<…>; rel=\"next\"`."),
    ("Location", Type::String, "Where to look for what becomes of it."),
    ("Preference-Applied", Type::String, "`respond-async`."),
    ("Cache-Control", Type::String, "`no-store` for what is personal."),
    ("Retry-After", Type::Integer, "After how many seconds it may be tried again."),
    ("WWW-Authenticate", Type::String, "`Bearer`."),
    ("X-RateLimit-Limit", Type::Integer, "How many requests the window has, where there is a limit."),
    ("X-RateLimit-Remaining", Type::Integer, "How many requests are left."),
    ("X-RateLimit-Reset", Type::Integer, "When the next window begins, in seconds since 1970."),
    ("X-Process-Time", Type::Number, "How long it took, in seconds."),
    ("X-Request-Id", Type::String, "The id of the request, which log lines carry too."),
];

/// All of them, for routes to refer to.
pub(super) fn all() -> BTreeMap<String, RefOr<Header>> {
    let header = |kind: Type, description: &str| {
        let schema = ObjectBuilder::new().schema_type(kind);
        HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
    };
    HEADERS.into_iter().map(|(name, kind, about)| (name.to_owned(), header(kind, about).into())).collect()
}

/// A reference to one.
pub(super) fn refer(name: &str) -> (String, RefOr<Header>) {
    (name.to_owned(), RefOr::Ref(Ref::new(format!("#/components/headers/{name}"))))
}

/// Adds those that follow from what the route is, and makes references of those that its handler names.
pub(super) fn add(operation: &mut Operation, method: &HttpMethod) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let named: Vec<String> = response.headers.keys().cloned().collect();
        response.headers = named.iter().map(|name| refer(name)).collect();
        add_common(response);
        // Who reads with a good token is not counted.
        if *method != HttpMethod::Get || matches!(status.as_str(), "401" | "429") {
            add_allowance(response);
        }
    }
}

/// Adds those that every answer carries.
pub(super) fn add_common(response: &mut Response) {
    response.headers.extend(["Cache-Control", "X-Process-Time", "X-Request-Id"].map(refer));
}

/// Adds those that tell what is left of the caller's requests.
pub(super) fn add_allowance(response: &mut Response) {
    response.headers.extend(["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"].map(refer));
}
