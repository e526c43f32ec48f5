//! A request that API Gateway has routed, and what handlers read from it.

use std::str::FromStr;
use std::sync::{Mutex, OnceLock, PoisonError};

use lambda_http::request::RequestContext;
use lambda_http::{RequestExt as _, http};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::Parameters;
use crate::domain::Allowance;
use crate::error::{Code, Error, Result};
use crate::json;

/// What most routes take.
const SMALL_BODY: usize = 256 * 1024;
/// What routes take that carry whole conversations.
const LARGE_BODY: usize = 4 * 1024 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const PREFER: http::HeaderName = http::HeaderName::from_static("prefer");

/// A request that API Gateway has routed.
pub struct Request {
    pub(super) inner: lambda_http::Request,
    route_key: String,
    id: String,
    address: String,
    allowance: Mutex<Option<Allowance>>,
    pub(super) declared: OnceLock<Parameters>,
}

impl Request {
    /// The request of an event of an HTTP API.
    #[must_use]
    pub fn new(inner: lambda_http::Request) -> Self {
        let RequestContext::ApiGatewayV2(context) = inner.request_context() else {
            let nothing = String::new;
            return Self::routed(inner, nothing(), nothing(), nothing());
        };
        let (route_key, id) = (context.route_key.unwrap_or_default(), context.request_id.unwrap_or_default());
        // A `HEAD` is answered as the `GET` would be, without the body.
        let route_key = match route_key.strip_prefix("HEAD ") {
            Some(path) => format!("GET {path}"),
            None => route_key,
        };
        Self::routed(inner, route_key, id, context.http.source_ip.unwrap_or_default())
    }

    fn routed(inner: lambda_http::Request, route_key: String, id: String, address: String) -> Self {
        Self { inner, route_key, id, address, allowance: Mutex::default(), declared: OnceLock::new() }
    }

    /// The route as `template.yaml` spells it: `GET /api/conversations/{id}`.
    #[must_use]
    pub fn route_key(&self) -> &str {
        &self.route_key
    }

    /// The id that API Gateway gave the request.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The address that the gateway saw; what a client says of itself in headers is not it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the answer is to have no body.
    pub(super) fn is_head(&self) -> bool {
        self.inner.method() == http::Method::HEAD
    }

    /// Whether its method changes something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !self.inner.method().is_safe()
    }

    /// Says what is left of the caller's requests, for the head of the answer, which shows the least that was noted.
    pub fn note_allowance(&self, allowance: Allowance) {
        let mut noted = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        // What was counted later may leave less.
        if noted.is_none_or(|noted| allowance.remaining <= noted.remaining) {
            *noted = Some(allowance);
        }
    }

    pub(super) fn allowance(&self) -> Option<Allowance> {
        *self.allowance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the client says of itself, at most 256 characters.
    #[must_use]
    pub fn user_agent(&self) -> String {
        let value = self.inner.headers().get(http::header::USER_AGENT).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().chars().take(256).collect()
    }

    /// Whether the client has this preference, as `Prefer` tells them.
    #[must_use]
    pub fn prefers(&self, preference: &str) -> bool {
        let members = self.members(PREFER);
        members.flat_map(|value| value.split(';')).any(|value| value.trim().eq_ignore_ascii_case(preference))
    }

    /// The bearer token.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] without exactly one.
    pub fn bearer(&self) -> Result<&str> {
        let missing = || Error::new(Code::Unauthenticated, "Not authenticated");
        let value = self.inner.headers().get(http::header::AUTHORIZATION).ok_or_else(missing)?;
        let (scheme, token) =
            value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
            return Err(missing());
        }
        Ok(token)
    }

    /// A parameter of the path. One that breaks its type's rule names nothing that exists, so it reads as `absent`.
    ///
    /// # Errors
    /// `absent`.
    pub fn path<T: FromStr>(&self, name: &str, absent: impl FnOnce() -> Error) -> Result<T> {
        let parameters = self.inner.path_parameters();
        parameters.first(name).and_then(|value| value.parse().ok()).ok_or_else(absent)
    }

    /// A header that is there.
    ///
    /// # Errors
    /// [`Code::Invalid`] when it is no visible ASCII text.
    pub(super) fn header(&self, name: &http::HeaderName) -> Result<Option<&str>> {
        let refused = |_| Error::invalid_field(name.as_str(), "must be visible ASCII text");
        self.inner.headers().get(name).map(|value| value.to_str().map_err(refused)).transpose()
    }

    /// The members of a header that is a list. What is no text is none.
    pub(super) fn members(&self, name: http::HeaderName) -> impl Iterator<Item = &str> {
        let values = self.inner.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(','))
    }

    /// The path as it came.
    pub(super) fn raw_path(&self) -> &str {
        self.inner.uri().path()
    }

    /// The body as it came.
    pub(super) fn body(&self) -> &[u8] {
        self.inner.body()
    }

    /// The body, up to 256 KB.
    ///
    /// # Errors
    /// [`Code::UnsupportedMediaType`], [`Code::BodyTooLarge`], [`Code::MalformedJson`], [`Code::Invalid`].
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        json::parse(self.json_up_to(SMALL_BODY)?)
    }

    /// The body, up to 4 MB, for routes that carry whole conversations.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn large_json<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        json::parse(self.json_up_to(LARGE_BODY)?)
    }

    /// The text of a file, up to 4 MB and 300,000 values, without the mark that some programs write before UTF-8. Whether it is JSON
    /// is not checked.
    ///
    /// # Errors
    /// [`Code::UnsupportedMediaType`], [`Code::BodyTooLarge`], [`Code::Invalid`].
    pub fn json_file(&self) -> Result<&[u8]> {
        let body = self.json_up_to(LARGE_BODY)?;
        let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        json::check_values(text)?;
        Ok(text)
    }

    fn json_up_to(&self, most: usize) -> Result<&[u8]> {
        if !self.is_json() {
            let detail = "The body must be sent with `Content-Type: application/json`";
            return Err(Error::new(Code::UnsupportedMediaType, detail));
        }
        let body: &[u8] = self.inner.body();
        if body.len() > most {
            return Err(Error::new(Code::BodyTooLarge, format!("The body must have at most {most} bytes")));
        }
        Ok(body)
    }

    fn is_json(&self) -> bool {
        let value =
            self.inner.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    }
}

/// The characters that RFC 3986 calls reserved, and all that are not ASCII.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes `text` for one segment of a path, or for a value in a query.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}
