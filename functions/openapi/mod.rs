//! The OpenAPI 3.1 document. Handlers describe their routes; this module combines the descriptions and adds the errors
//! and headers that follow from a route's method, parameters, body and credentials.

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

/// The parts of the document that belong to no group.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "AI Chat Studio", description = include_str!("description.md"), license(name = "MIT", identifier = "MIT")),
    servers((url = ".", description = "The studio that serves this document")),
    tags(
        (name = "accounts", description = "Registration, login, sessions, API keys, second factor and profile"),
        (name = "conversations", description = "Stored conversations and their messages"),
        (name = "chat", description = "Replies of models, and their usage"),
        (name = "statistics", description = "Statistics of the caller"),
        (name = "studio", description = "Public information about the studio")
    ),
    components(schemas(Problem<'_>))
)]
struct ApiDocument;

/// Makes the document. `functions/site/openapi.json` is a copy.
#[must_use]
pub fn document() -> OpenApi {
    let mut document = ApiDocument::openapi();
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
    let key = bearer("sk-studio-…", "An API key, for programs. It cannot manage credentials.");
    components.security_schemes.insert("session".to_owned(), session.into());
    components.security_schemes.insert("api_key".to_owned(), key.into());
}

/// Replaces `oneOf` by `anyOf`: a value may match several alternatives, because one may have all fields of another.
fn allow_overlaps(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::OneOf(one)) = schema {
        let forms = std::mem::take(&mut one.items);
        let any = forms.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item);
        *schema = any.description(one.description.take()).into();
    }
}

/// The operations of a path, with their methods.
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

/// The key of a route as in the template.
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

/// Adds the credentials, errors and headers that follow from the kind of a route.
fn complete(
    operation: &mut Operation,
    method: &HttpMethod,
    refuses_others: bool,
    components: &mut Components,
) {
    // By default, a route accepts access tokens and API keys.
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
