//! The answer of a handler, and the headers that every answer carries.

use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use lambda_http::http::{Response, StatusCode};
use lambda_http::{Body, http};
use serde::Serialize;

use crate::domain::Allowance;
use crate::error::{Error, Result};

const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// An answer: a status, headers and a body, which is usually JSON.
#[derive(Debug)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Body,
}

impl Answer {
    /// Answers 200 with `value` as JSON, which caches must not store.
    ///
    /// # Errors
    /// When `value` cannot be JSON, which no type of this crate causes.
    pub fn ok(value: &impl Serialize) -> Result<Self> {
        Ok(Self::json(
            StatusCode::OK,
            "application/json",
            serde_json::to_string(value).map_err(Error::internal)?,
        ))
    }

    /// Answers 200 with a Markdown file for download.
    #[must_use]
    pub fn markdown(text: String) -> Self {
        Self::json(StatusCode::OK, "text/markdown; charset=utf-8", text)
            .with(http::header::CONTENT_DISPOSITION, "attachment; filename=\"conversation.md\"")
    }

    pub(super) fn json(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self::of(status, content_type, Body::Text(body))
    }

    /// Answers with any body, which caches must not store unless another header replaces this one.
    pub(super) fn of(status: StatusCode, content_type: &'static str, body: Body) -> Self {
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static(content_type)),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        Self { status, headers: headers.into_iter().collect(), body }
    }

    /// Turns the answer into a 202: the work has begun, and its result will be found at `path`.
    #[must_use]
    pub fn accepted(self, path: &str) -> Self {
        Self { status: StatusCode::ACCEPTED, ..self }
            .with(http::header::LOCATION, path)
            .with(HeaderName::from_static("preference-applied"), "respond-async")
    }

    /// Adds a `Link` to the next page.
    #[must_use]
    pub fn with_next_page(self, path_and_query: &str) -> Self {
        self.with(http::header::LINK, &format!("<{path_and_query}>; rel=\"next\""))
    }

    /// Adds the headers that say how many requests are left. The reset is in seconds since 1970.
    pub(super) fn with_allowance(self, allowance: &Allowance) -> Self {
        self.with(HeaderName::from_static("x-ratelimit-limit"), &allowance.limit.to_string())
            .with(HeaderName::from_static("x-ratelimit-remaining"), &allowance.remaining.to_string())
            .with(HeaderName::from_static("x-ratelimit-reset"), &allowance.resets_at.seconds().to_string())
    }

    /// Removes the body, for a `HEAD` request.
    pub(super) fn without_body(self) -> Self {
        Self { body: Body::Empty, ..self }
    }

    /// Sets a header. A value that is not valid in a header is ignored.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The response for `lambda_http`, with the headers that every answer carries. An answer without a content
    /// security policy gets that of data, which must not load anything.
    pub(super) fn into_response(self, request_id: &str, seconds: f64) -> Response<Body> {
        let has_policy = self.headers.contains_key(CONTENT_SECURITY_POLICY);
        let answer = if has_policy { self } else { self.with(CONTENT_SECURITY_POLICY, DATA_POLICY) };
        let answer = answer
            .with(HeaderName::from_static("x-process-time"), &format!("{seconds:.6}"))
            .with(HeaderName::from_static("x-request-id"), request_id)
            .with(http::header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .with(http::header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
        let mut response = Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }
}
