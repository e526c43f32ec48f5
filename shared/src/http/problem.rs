//! Errors as RFC 9457 problem documents, and the one place that gives each error its status.

use lambda_http::http::StatusCode;
use lambda_http::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use super::Answer;
use crate::error::{Code, Error};

/// The status of an error.
pub(super) fn status(code: Code) -> StatusCode {
    match code {
        // Existing clients expect 400 for these two.
        Code::UsernameTaken | Code::EmailTaken => StatusCode::BAD_REQUEST,
        Code::Invalid
        | Code::MalformedJson
        | Code::IdempotencyKeyReused
        | Code::UnknownModel
        | Code::ModelRefused
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
        | Code::TooManyReplies => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable | Code::ModelOverloaded | Code::ModelsOff => StatusCode::SERVICE_UNAVAILABLE,
        Code::ModelUnavailable | Code::ModelMisconfigured | Code::EmptyReply | Code::Interrupted => {
            StatusCode::BAD_GATEWAY
        }
        Code::ModelTimeout => StatusCode::GATEWAY_TIMEOUT,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The answer that tells a client of `error`. Our own failures are logged here, once.
pub(super) fn answer(error: &Error, request_id: &str) -> Answer {
    let status = status(error.code());
    if status.is_server_error() {
        tracing::error!(?error, "a request failed");
    }
    let mut problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": error.detail(),
        "code": error.code().as_str(),
        "request_id": request_id,
    });
    if let Some(problem) = problem.as_object_mut() {
        if !error.fields().is_empty() {
            let fields =
                error.fields().iter().map(|error| json!({"field": error.field, "detail": error.detail}));
            problem.insert("errors".to_owned(), fields.collect());
        }
        if let Some(seconds) = error.seconds_to_wait() {
            problem.insert("retry_after".to_owned(), seconds.into());
        }
    }
    let answer = Answer::json(status, "application/problem+json", problem.to_string());
    let answer = match error.seconds_to_wait() {
        Some(seconds) => answer.with(RETRY_AFTER, &seconds.to_string()),
        None => answer,
    };
    if status == StatusCode::UNAUTHORIZED { answer.with(WWW_AUTHENTICATE, "Bearer") } else { answer }
}
