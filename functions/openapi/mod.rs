//! The document of the HTTP API (OpenAPI 3.1), put together of what the handlers say of themselves. What a route answers
//! because of what it is (it takes a body, it needs a token, it changes something) is added here.

mod errors;
mod headers;
mod parameters;

pub(crate) use parameters::{
    ConversationPath, Cursor, IdempotencyKey, IfMatch, IfNoneMatch, MessagePath, Prefer,
};

use crate::queries;
use shared::http::Problem;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem};
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, OpenApi, RefOr, Required};

/// What no group says.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "AI Chat Studio", description = include_str!("description.md"), license(name = "MIT", identifier = "MIT")),
    servers((url = ".", description = "Where this document is")),
    tags(
        (name = "accounts", description = "Registration, login, sessions, keys, the second factor, the own profile"),
        (name = "conversations", description = "Stored conversations and their messages"),
        (name = "chat", description = "Replies of models, and what they use"),
        (name = "statistics", description = "How the caller uses the studio"),
        (name = "studio", description = "The studio itself, for anybody")
    ),
    components(schemas(Problem<'_>))
)]
struct Studio;

/// The document. `functions/site/openapi.json` is a copy of it.
#[must_use]
pub fn document() -> OpenApi {
    let mut document = Studio::openapi();
    for group in [
        crate::site::Documented::openapi(),
        crate::auth::AuthApi::openapi(),
        crate::conversations::ConversationsApi::openapi(),
        crate::chat::ChatApi::openapi(),
        crate::stats::StatsApi::openapi(),
    ] {
        document.merge(group);
    }
    let mut components = document.components.take().unwrap_or_default();
    add_security_schemes(&mut components);
    components.headers = headers::all();
    components.schemas.values_mut().for_each(allow_overlaps);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let refuses_others = queries::of(&route_key(&method, path)).refuses_others();
            complete(operation, &method, refuses_others, &mut components);
        }
    }
    document.components = Some(components);
    document
}

fn add_security_schemes(components: &mut Components) {
    let bearer = |format: &str, description: &str| {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format);
        SecurityScheme::Http(scheme.description(Some(description)).build())
    };
    let session = bearer("JWT", "The access token of a session.");
    let key = bearer("sk-studio-…", "An API key, for a program. It does not manage credentials.");
    components.security_schemes.insert("session".to_owned(), session.into());
    components.security_schemes.insert("api_key".to_owned(), key.into());
}

/// Of several forms that a value can have, more than one may fit it: a longer one may have all that a shorter one asks for.
fn allow_overlaps(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::OneOf(one)) = schema {
        let forms = std::mem::take(&mut one.items);
        let any = forms.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item);
        *schema = any.description(one.description.take()).into();
    }
}

/// The operations of a path that methods of ours have.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The key of a route as the template spells it.
fn route_key(method: &HttpMethod, path: &str) -> String {
    let method = match method {
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Delete => "DELETE",
        _ => "GET",
    };
    format!("{method} {path}")
}

/// Adds what follows from what a route is.
fn complete(
    operation: &mut Operation,
    method: &HttpMethod,
    refuses_others: bool,
    components: &mut Components,
) {
    // Who says nothing takes a token of either kind.
    operation.security.get_or_insert_with(|| ["session", "api_key"].map(requires).into());
    if let Some(body) = &mut operation.request_body
        && let RefOr::T(body) = body
    {
        body.required = Some(Required::True);
    }
    errors::add(operation, method, refuses_others, components);
    headers::add(operation, method);
}

fn requires(scheme: &str) -> SecurityRequirement {
    SecurityRequirement::new(scheme, [""; 0])
}

#[cfg(test)]
mod tests;
