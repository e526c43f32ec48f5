//! Errors as problem documents (RFC 9457), and the only place that maps errors to status codes.

use lambda_http::http::StatusCode;
use lambda_http::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::error::{Code, Error, FieldError};

/// The status of an error.
fn http_status(code: Code) -> StatusCode {
    match code {
        // Existing clients expect 400 for these two.
        Code::UsernameTaken | Code::EmailTaken => StatusCode::BAD_REQUEST,
        Code::Invalid
        | Code::MalformedJson
        | Code::IdempotencyKeyReused
        | Code::UnknownModel
        | Code::ModelRefused
        | Code::MaxTokensReached
        | Code::ContentFiltered => StatusCode::UNPROCESSABLE_ENTITY,
        Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Unauthenticated | Code::WrongCredentials | Code::TotpRequired | Code::WrongTotp => {
            StatusCode::UNAUTHORIZED
        }
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::ConversationExists
        | Code::ConversationDeleted
        | Code::MessageExists
        | Code::ReplyRunning
        | Code::Conflict => StatusCode::CONFLICT,
        Code::RateLimited
        | Code::TooManyConnections
        | Code::TooManyAttempts
        | Code::LimitReached
        | Code::QuotaExceeded
        | Code::TooManyReplies => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable | Code::ModelOverloaded | Code::ModelsOff => StatusCode::SERVICE_UNAVAILABLE,
        Code::ModelUnavailable | Code::ModelMisconfigured | Code::EmptyReply | Code::Interrupted => {
            StatusCode::BAD_GATEWAY
        }
        Code::ModelTimeout => StatusCode::GATEWAY_TIMEOUT,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The status of an error and its name, for the OpenAPI document.
#[must_use]
pub fn status_of(code: Code) -> (u16, &'static str) {
    let status = http_status(code);
    (status.as_u16(), status.canonical_reason().unwrap_or_default())
}

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
pub struct Problem<'a> {
    /// Always `about:blank`. Use `code` to tell errors apart.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The name of the status.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// The status code of the answer.
    #[schema(example = 404)]
    status: u16,
    /// What went wrong, for people. It never contains input.
    #[schema(example = "Conversation not found")]
    detail: &'a str,
    /// What went wrong, for programs.
    #[schema(example = "not_found")]
    code: &'static str,
    /// The id of the request, as in `X-Request-Id`.
    #[schema(example = "UkWtJi5qIAMEPfQ=")]
    request_id: &'a str,
    /// The fields that break a rule.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
    /// After how many seconds to try again, as in the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
}

/// The answer for an error. Errors of the studio itself are logged here.
pub(super) fn answer(error: &Error, request_id: &str) -> Answer {
    let status = http_status(error.code());
    if status.is_server_error() {
        tracing::error!(?error, "a request failed");
    }
    let problem = Problem {
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail: error.detail(),
        code: error.code().as_str(),
        request_id,
        errors: error.fields(),
        retry_after: error.seconds_to_wait(),
    };
    // Serializing texts and numbers cannot fail.
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let answer = Answer::json(status, "application/problem+json", body);
    let answer = match error.seconds_to_wait() {
        Some(seconds) => answer.with(RETRY_AFTER, &seconds.to_string()),
        None => answer,
    };
    if status == StatusCode::UNAUTHORIZED { answer.with(WWW_AUTHENTICATE, "Bearer") } else { answer }
}
