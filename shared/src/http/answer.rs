//! Answers of handlers.

use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use lambda_http::http::{Response, StatusCode};
use lambda_http::{Body, http};
use serde::Serialize;

use crate::domain::Allowance;
use crate::error::{Error, Result};

const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// An answer: a status, headers and, mostly, JSON.
#[derive(Debug)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Body,
}

impl Answer {
    /// 200 with `value` as JSON. It is personal until something else is said, so nobody may keep it.
    ///
    /// # Errors
    /// None that can be thought of: all our types have text for keys.
    pub fn ok(value: &impl Serialize) -> Result<Self> {
        Ok(Self::json(
            StatusCode::OK,
            "application/json",
            serde_json::to_string(value).map_err(Error::internal)?,
        ))
    }

    /// 200 with a text for people to keep.
    #[must_use]
    pub fn markdown(text: String) -> Self {
        Self::json(StatusCode::OK, "text/markdown; charset=utf-8", text)
            .with(http::header::CONTENT_DISPOSITION, "attachment; filename=\"conversation.md\"")
    }

    pub(super) fn json(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self::of(status, content_type, Body::Text(body))
    }

    /// Whatever it is, nobody may keep it until something else is said.
    pub(super) fn of(status: StatusCode, content_type: &'static str, body: Body) -> Self {
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static(content_type)),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        Self { status, headers: headers.into_iter().collect(), body }
    }

    /// The same as 202: it is begun, and `path` is where to look for what becomes of it.
    #[must_use]
    pub fn accepted(self, path: &str) -> Self {
        Self { status: StatusCode::ACCEPTED, ..self }
            .with(http::header::LOCATION, path)
            .with(HeaderName::from_static("preference-applied"), "respond-async")
    }

    /// The same with a `Link` to the next page.
    #[must_use]
    pub fn with_next_page(self, path_and_query: &str) -> Self {
        self.with(http::header::LINK, &format!("<{path_and_query}>; rel=\"next\""))
    }

    /// The same with what is left of the caller's requests; the reset is in seconds since the epoch.
    pub(super) fn with_allowance(self, allowance: &Allowance) -> Self {
        self.with(HeaderName::from_static("x-ratelimit-limit"), &allowance.limit.to_string())
            .with(HeaderName::from_static("x-ratelimit-remaining"), &allowance.remaining.to_string())
            .with(HeaderName::from_static("x-ratelimit-reset"), &allowance.resets_at.seconds().to_string())
    }

    /// This answer without its body, for a `HEAD` request.
    pub(super) fn without_body(self) -> Self {
        Self { body: Body::Empty, ..self }
    }

    /// The same with this header, unless the value cannot be one.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// As lambda_http wants it, with the headers that every answer carries. What has no policy of its own is data, and may
    /// load nothing.
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
