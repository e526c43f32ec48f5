//! The Runtime API. `AWS_LAMBDA_RUNTIME_API` names its address, with this path:
//! `/{access key id of the function}/{instance}/2018-06-01/runtime/..`.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;

use super::{
    Function, Functions,
    instance::Delivery,
    outcome::{InvokeError, PAYLOAD_LIMIT},
    pool::Next,
};
use crate::{
    access,
    http1::{self, Answer, Body, BodyError},
};

/// Answers a request of an instance of the calling function.
pub(crate) async fn handle(functions: &Functions, caller: &access::Caller, request: Request<Body>) -> Answer {
    let (head, body) = request.into_parts();
    let mut path = head.uri.path().splitn(6, '/').skip(2);
    let (Some(instance), Some("2018-06-01"), Some("runtime"), Some(action)) =
        (path.next(), path.next(), path.next(), path.next())
    else {
        return http1::empty(StatusCode::NOT_FOUND);
    };
    let function = caller.function().and_then(|name| functions.by_name.get(name));
    let (Some(function), Ok(instance)) = (function, instance.parse::<u64>()) else {
        return http1::empty(StatusCode::NOT_FOUND);
    };
    let caller = InstanceCaller { function, instance };
    match (&head.method, action, action.strip_prefix("invocation/").and_then(|rest| rest.split_once('/'))) {
        (&Method::GET, "invocation/next", _) => caller.next().await,
        (&Method::POST, "init/error", _) => caller.init_error(body).await,
        (&Method::POST, _, Some((request_id, "response"))) => caller.response(request_id, body).await,
        (&Method::POST, _, Some((request_id, "error"))) => caller.error(request_id, body).await,
        _ => http1::empty(StatusCode::NOT_FOUND),
    }
}

struct InstanceCaller<'a> {
    function: &'a Function,
    instance: u64,
}

impl InstanceCaller<'_> {
    async fn next(&self) -> Answer {
        let delivery = match self.function.next(self.instance) {
            Next::Now(delivery) => Some(delivery),
            Next::Later(delivery) => delivery.await.ok(),
            Next::Never => None,
        };
        match delivery {
            Some(delivery) => self.event(delivery),
            // The instance is about to be killed. An answer without an event makes it end by itself.
            None => http1::empty(StatusCode::GONE),
        }
    }

    fn event(&self, delivery: Delivery) -> Answer {
        let mut answer = Response::new(Full::new(delivery.payload));
        let trace = format!(
            "Root=1-{:08x}-{:024x};Parent={:016x};Sampled=0",
            delivery.deadline_ms / 1000,
            fastrand::u128(..) >> 32,
            fastrand::u64(..)
        );
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            HeaderName::from_static("lambda-runtime-deadline-ms"),
            HeaderValue::from(delivery.deadline_ms),
        );
        for (name, value) in [
            ("lambda-runtime-aws-request-id", delivery.request_id.as_str()),
            ("lambda-runtime-invoked-function-arn", self.function.arn.as_str()),
            ("lambda-runtime-trace-id", trace.as_str()),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        answer
    }

    async fn response(&self, request_id: &str, body: Body) -> Answer {
        match http1::read_body(body, PAYLOAD_LIMIT).await {
            Ok(bytes) => self.accept(request_id, Ok(bytes)),
            Err(BodyError::TooLong) => {
                self.accept(request_id, Err(InvokeError::TooLarge(PAYLOAD_LIMIT + 1)));
                http1::json(StatusCode::PAYLOAD_TOO_LARGE, r#"{"errorType":"Function.ResponseSizeTooLarge"}"#)
            }
            Err(BodyError::Broken) => {
                self.accept(request_id, Err(InvokeError::Crashed("the answer was incomplete".to_owned())))
            }
        }
    }

    async fn error(&self, request_id: &str, body: Body) -> Answer {
        let document = http1::read_body(body, PAYLOAD_LIMIT).await.unwrap_or_default();
        self.accept(request_id, Err(InvokeError::from_document(&document)))
    }

    /// Logs why an instance cannot start. The instance then exits, which fails an event.
    async fn init_error(&self, body: Body) -> Answer {
        let document = http1::read_body(body, PAYLOAD_LIMIT).await.unwrap_or_default();
        self.function.logs.keep(format!("INIT failed: {}", String::from_utf8_lossy(&document)));
        accepted()
    }

    fn accept(&self, request_id: &str, outcome: Result<Bytes, InvokeError>) -> Answer {
        if self.function.answer(self.instance, request_id, outcome) {
            return accepted();
        }
        http1::json(StatusCode::BAD_REQUEST, r#"{"errorType":"InvalidRequestID"}"#)
    }
}

fn accepted() -> Answer {
    http1::json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
}
