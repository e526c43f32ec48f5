//! The HTTP API.

use std::{net::SocketAddr, time::Duration};

use http::{HeaderValue, Request, StatusCode, header::ORIGIN, request::Parts};

use super::{cors::CorsHeaders, http_answer, http_event, routes::Routes};
use crate::{
    http1::{self, Answer, Body, BodyError},
    lambda::{self, InvokeError},
};

/// The maximum size of a request body.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// The HTTP API.
#[derive(Debug)]
pub(crate) struct HttpApi {
    pub(crate) routes: Routes,
    pub(crate) cors: Option<CorsHeaders>,
    /// The time limit for a function.
    pub(crate) integration_limit: Duration,
}

impl HttpApi {
    /// Answers one request.
    pub(super) async fn handle(&self, request: Request<Body>, peer: SocketAddr) -> Answer {
        let (head, body) = request.into_parts();
        let request_id = lambda::request_id();
        let preflight = self.cors.as_ref().and_then(|cors| cors.preflight(&head.method, &head.headers));
        let mut answer = match preflight {
            Some(answer) => answer,
            None => {
                let mut answer = self.integrate(&head, body, peer, &request_id).await;
                if let Some(cors) = &self.cors {
                    cors.apply(head.headers.get(ORIGIN), answer.headers_mut());
                }
                answer
            }
        };
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            answer.headers_mut().insert("apigw-requestid", id);
        }
        answer
    }

    async fn integrate(&self, head: &Parts, body: Body, peer: SocketAddr, request_id: &str) -> Answer {
        let Some(found) = self.routes.find(&head.method, head.uri.path()) else {
            return own(StatusCode::NOT_FOUND);
        };
        let body = match http1::read_body(body, BODY_LIMIT).await {
            Ok(body) => body,
            Err(BodyError::TooLong) => return own(StatusCode::PAYLOAD_TOO_LARGE),
            Err(BodyError::Broken) => return own(StatusCode::BAD_REQUEST),
        };
        let event = http_event::event(head, &body, &found, peer.ip(), request_id);
        let call = found.function.invoke(event);
        match tokio::time::timeout(self.integration_limit, call).await {
            Err(_elapsed) => own(StatusCode::SERVICE_UNAVAILABLE),
            Ok(Err(InvokeError::EventTooLarge(_))) => own(StatusCode::PAYLOAD_TOO_LARGE),
            Ok(Err(_)) => own(StatusCode::INTERNAL_SERVER_ERROR),
            Ok(Ok(bytes)) => {
                http_answer::read(&bytes).unwrap_or_else(|| own(StatusCode::INTERNAL_SERVER_ERROR))
            }
        }
    }
}

/// The answer of the gateway itself with this status.
pub(super) fn own(status: StatusCode) -> Answer {
    let body = match status {
        StatusCode::NOT_FOUND => r#"{"message":"Not Found"}"#,
        StatusCode::PAYLOAD_TOO_LARGE => r#"{"message":"Request Entity Too Large"}"#,
        StatusCode::BAD_REQUEST => r#"{"message":"Bad Request"}"#,
        StatusCode::SERVICE_UNAVAILABLE => r#"{"message":"Service Unavailable"}"#,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => r#"{"message":"Request Header Fields Too Large"}"#,
        _ => r#"{"message":"Internal Server Error"}"#,
    };
    http1::json(status, body)
}
