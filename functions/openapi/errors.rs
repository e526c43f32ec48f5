//! The errors of each route: those that its handler names, and those that follow from its method, parameters, body and
//! credentials.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shared::error::Code;
use shared::http::status_of;
use utoipa::openapi::path::{HttpMethod, Operation, ParameterIn};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Components, Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::headers;

/// The extension in which handlers name their codes: `extensions(("x-codes" = json!([…])))`.
const CODES: &str = "x-codes";
const GATEWAY: &str = "429.gateway";

/// Adds the error responses, one for each status.
pub(super) fn add(
    operation: &mut Operation,
    method: &HttpMethod,
    refuses_others: bool,
    components: &mut Components,
) {
    let mut by_status: BTreeMap<(u16, &str), BTreeSet<Code>> = BTreeMap::new();
    // Routes that refuse unknown query parameters answer `invalid`.
    let unknown = refuses_others.then_some(Code::Invalid);
    for code in named(operation).into_iter().chain(implied(operation, method)).chain(unknown) {
        by_status.entry(status_of(code)).or_default().insert(code);
    }
    for ((status, title), codes) in by_status {
        let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
        let name = format!("{status}.{}", names.join("."));
        let counted = *method != HttpMethod::Get || matches!(status, 401 | 429);
        let name = if counted { name } else { format!("{name}.uncounted") };
        let reference = Ref::from_response_name(&name);
        components.responses.entry(name).or_insert_with(|| response((status, title), &codes, counted).into());
        operation.responses.responses.insert(status.to_string(), reference.into());
    }
    // Only API Gateway itself refuses a request for a public route.
    if operation.responses.responses.len() == 1 || operation.security.as_ref().is_some_and(Vec::is_empty) {
        let too_many = operation.responses.responses.entry("429".to_owned());
        too_many.or_insert_with(|| Ref::from_response_name(GATEWAY).into());
        components.responses.entry(GATEWAY.to_owned()).or_insert_with(|| gateways_own().into());
    }
}

/// The answer of API Gateway itself when the whole studio receives too many requests.
fn gateways_own() -> Response {
    let content = gateways_content("Too Many Requests");
    let description = "API Gateway: the studio receives too many requests";
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

fn gateways_content(message: &str) -> Content {
    let schema = ObjectBuilder::new()
        .property("message", ObjectBuilder::new().schema_type(Type::String))
        .required("message");
    let content = ContentBuilder::new().schema(Some(Schema::Object(schema.build())));
    content.example(Some(json!({ "message": message }))).build()
}

/// The message of API Gateway itself with this status, which a client may receive instead of an answer of the function.
fn said_by_gateway(status: u16) -> Option<&'static str> {
    match status {
        413 => Some("Request Entity Too Large"),
        429 => Some("Too Many Requests"),
        500 => Some("Internal Server Error"),
        503 => Some("Service Unavailable"),
        _ => None,
    }
}

/// Takes the codes that the handler names out of the operation.
fn named(operation: &mut Operation) -> Vec<Code> {
    let codes = operation.extensions.take().and_then(|mut extensions| extensions.remove(CODES));
    codes.map(|codes| serde_json::from_value(codes).unwrap_or_default()).unwrap_or_default()
}

/// The codes that follow from the method, parameters, body and credentials of a route.
fn implied(operation: &Operation, method: &HttpMethod) -> Vec<Code> {
    let takes = |scheme: &str| {
        let requirements: Value = json!(operation.security);
        requirements.as_array().is_some_and(|all| all.iter().any(|one| one.get(scheme).is_some()))
    };
    let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    });
    let (mut codes, has_body) = (Vec::new(), operation.request_body.is_some());
    for parameter in parameters {
        match (&parameter.parameter_in, parameter.name.as_str()) {
            (ParameterIn::Path, _) => codes.push(Code::NotFound),
            (ParameterIn::Query, _) | (ParameterIn::Header, "If-None-Match") => codes.push(Code::Invalid),
            (ParameterIn::Header, "If-Match") => codes.extend([Code::Invalid, Code::PreconditionFailed]),
            (ParameterIn::Header, "Idempotency-Key") => {
                codes.extend([Code::Invalid, Code::IdempotencyKeyReused]);
            }
            _ => {}
        }
    }
    if has_body {
        codes.extend([Code::UnsupportedMediaType, Code::BodyTooLarge, Code::MalformedJson, Code::Invalid]);
    }
    if takes("session") {
        codes.push(Code::Unauthenticated);
    }
    if takes("session") && !takes("api_key") {
        codes.push(Code::Forbidden);
    }
    if takes("session") || *method != HttpMethod::Get {
        codes.extend([Code::RateLimited, Code::Unavailable, Code::Internal]);
    }
    codes
}

/// The response for errors with these codes.
fn response((status, title): (u16, &str), codes: &BTreeSet<Code>, counted: bool) -> Response {
    let names: Vec<String> = codes.iter().map(|code| format!("`{}`", code.as_str())).collect();
    let schema = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(narrowed(status, codes));
    let example = json!({
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": codes.first().map(|code| said_of(*code)),
        "code": codes.first(),
        "request_id": "UkWtJi5qIAMEPfQ=",
    });
    let content =
        ContentBuilder::new().schema(Some(Schema::AllOf(schema.build()))).example(Some(example)).build();
    let mut response = ResponseBuilder::new()
        .description(format!("{title}: {}", names.join(", ")))
        .content("application/problem+json", content)
        .build();
    if let Some(message) = said_by_gateway(status) {
        response.content.insert("application/json".to_owned(), gateways_content(message).into());
    }
    headers::add_common(&mut response);
    if counted {
        headers::add_allowance(&mut response);
    }
    match status {
        401 => response.headers.extend([headers::refer("WWW-Authenticate")]),
        429 | 503 => response.headers.extend([headers::refer("Retry-After")]),
        _ => {}
    }
    response
}

/// The schema of a problem with this status and one of these codes.
fn narrowed(status: u16, codes: &BTreeSet<Code>) -> Schema {
    let only = |kind: Type, values: Vec<Value>| {
        ObjectBuilder::new().schema_type(kind).enum_values(Some(values)).build()
    };
    let schema = ObjectBuilder::new()
        .property("status", only(Type::Integer, vec![json!(status)]))
        .property("code", only(Type::String, codes.iter().map(|code| json!(code)).collect()));
    Schema::Object(schema.build())
}

/// A sentence that such an error comes with.
fn said_of(code: Code) -> &'static str {
    match code {
        Code::Invalid => "title: must have 1 to 256 characters",
        Code::MalformedJson => "The body is not valid JSON (line 1, column 2)",
        Code::UnsupportedMediaType => "The body must be sent with `Content-Type: application/json`",
        Code::BodyTooLarge => "The body must have at most 262144 bytes",
        Code::Unauthenticated => "Could not validate credentials",
        Code::WrongCredentials => "Incorrect username or password",
        Code::TotpRequired => "A code of the second factor is needed",
        Code::WrongTotp => "The code is wrong or was used",
        Code::Forbidden => "An API key may not do this; please log in",
        Code::NotFound => "Conversation not found",
        Code::UsernameTaken => "Username already registered",
        Code::EmailTaken => "Email already registered",
        Code::ConversationExists => "You have a conversation with this id already",
        Code::ConversationDeleted => "This conversation was deleted. Choose another id",
        Code::MessageExists => "The conversation has another message with this id",
        Code::PreconditionFailed => "The conversation has changed since it was read",
        Code::IdempotencyKeyReused => {
            "This Idempotency-Key was used for another request. Use a new key for a new request"
        }
        Code::ReplyRunning => "A reply is being made in this conversation",
        Code::RateLimited | Code::TooManyAttempts => "Too many requests. Please try again in 8 s.",
        Code::Conflict => "Other requests kept changing the conversation. Please try again.",
        Code::LimitReached => "Today's limit is reached",
        Code::QuotaExceeded => "Your conversations take all the space that you may use. Please delete some",
        Code::TooManyConnections => "Another connection took the place of this one",
        Code::TooManyReplies => "3 replies are being made already",
        Code::ModelsOff => "Models are switched off at the moment",
        Code::UnknownModel => "model: must be one of gpt-4o, offline",
        Code::ModelOverloaded => "The model is overloaded at the moment. Please try again later.",
        Code::ModelUnavailable => "The model cannot be reached at the moment.",
        Code::ModelTimeout => "The model stopped responding.",
        Code::ModelMisconfigured => "The model is not configured correctly on the server.",
        Code::ModelRefused => "The model rejected the request.",
        Code::EmptyReply => "The model sent an empty answer.",
        Code::MaxTokensReached => "The model used up `max_tokens` before the first word of its answer.",
        Code::ContentFiltered => "The provider's content filter withheld the answer.",
        Code::Interrupted => "The model's answer was interrupted.",
        Code::Unavailable => "The service is busy. Please try again in a moment.",
        Code::Internal => "Something went wrong on our side. Please try again.",
    }
}
