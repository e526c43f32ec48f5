//! The Invoke API of Lambda. `AWS_ENDPOINT_URL_LAMBDA` names its address.

use http::{HeaderValue, Method, Request, StatusCode};
use percent_encoding::percent_decode_str;

use super::{Asynchronous, InvokeError, outcome::PAYLOAD_LIMIT};
use crate::{
    access::Caller,
    http1::{self, Answer, Body},
};

/// The beginning of all paths of the Invoke API.
pub(crate) const PREFIX: &str = "/2015-03-31/functions/";

/// Answers `POST /2015-03-31/functions/{name or ARN}/invocations`.
pub(crate) async fn handle(queue: &Asynchronous, caller: &Caller, request: Request<Body>) -> Answer {
    let (head, body) = request.into_parts();
    let name = head.uri.path().strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix("/invocations"));
    let (Some(name), &Method::POST) = (name, &head.method) else {
        return http1::empty(StatusCode::NOT_FOUND);
    };
    let name = percent_decode_str(name).decode_utf8_lossy();
    let Some(function) = queue.functions.find(&name) else {
        let message = format!("Function not found: {name}");
        return http1::aws_error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    };
    if let Some(denied) = caller.refusal("lambda:InvokeFunction", &function.arn) {
        return http1::aws_error(StatusCode::FORBIDDEN, "AccessDeniedException", &denied);
    }
    let Ok(payload) = http1::read_body(body, PAYLOAD_LIMIT).await else {
        return too_large();
    };
    let payload = if payload.is_empty() { "{}".into() } else { payload };
    if !super::is_json(&payload) {
        let message = "Could not parse request body into json";
        return http1::aws_error(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message);
    }
    let kind = head
        .headers
        .get("x-amz-invocation-type")
        .map_or("RequestResponse", |kind| kind.to_str().unwrap_or(""));
    match kind {
        "Event" => match queue.accept(function, &payload) {
            Ok(()) => http1::empty(StatusCode::ACCEPTED),
            Err(_) => too_large(),
        },
        "RequestResponse" => answer_of(function.invoke(payload).await),
        "DryRun" => http1::empty(StatusCode::NO_CONTENT),
        other => {
            let message = format!("Unknown invocation type: {other}");
            http1::aws_error(StatusCode::BAD_REQUEST, "InvalidParameterValueException", &message)
        }
    }
}

fn answer_of(outcome: super::Outcome) -> Answer {
    let outcome =
        outcome.and_then(|bytes| if super::is_json(&bytes) { Ok(bytes) } else { Err(InvokeError::NotJson) });
    let mut answer = match outcome {
        Ok(bytes) => http1::json(StatusCode::OK, bytes),
        Err(error) => {
            let mut answer = http1::json(StatusCode::OK, error.document());
            answer.headers_mut().insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
            answer
        }
    };
    answer.headers_mut().insert("x-amz-executed-version", HeaderValue::from_static("$LATEST"));
    answer
}

fn too_large() -> Answer {
    let message = "Request must be smaller than the payload limit of its invocation type";
    http1::aws_error(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message)
}
