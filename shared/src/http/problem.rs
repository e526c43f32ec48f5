//! Errors as RFC 9457 problem documents, and the one place that gives each error its status.

use lambda_http::http::StatusCode;
use lambda_http::http::header::WWW_AUTHENTICATE;
use serde_json::json;

use super::Answer;
use crate::error::{Code, Error};

/// The status of an error.
pub(super) fn status(code: Code) -> StatusCode {
    match code {
        // Existing clients expect 400 for these two.
        Code::UsernameTaken | Code::EmailTaken => StatusCode::BAD_REQUEST,
        Code::Invalid | Code::MalformedJson => StatusCode::UNPROCESSABLE_ENTITY,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Unauthenticated | Code::WrongCredentials => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::ConversationExists | Code::ConversationDeleted | Code::ReplyRunning | Code::Conflict => {
            StatusCode::CONFLICT
        }
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
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
    if !error.fields().is_empty()
        && let Some(problem) = problem.as_object_mut()
    {
        let fields = error.fields().iter().map(|error| json!({"field": error.field, "detail": error.detail}));
        problem.insert("errors".to_owned(), fields.collect());
    }
    let answer = Answer::json(status, "application/problem+json", problem.to_string());
    if status == StatusCode::UNAUTHORIZED { answer.with(WWW_AUTHENTICATE, "Bearer") } else { answer }
}
