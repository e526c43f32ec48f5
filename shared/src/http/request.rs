//! A request as API Gateway routed it, and what handlers read from it.

use std::str::FromStr;
use std::sync::{Mutex, OnceLock, PoisonError};

use lambda_http::request::RequestContext;
use lambda_http::{RequestExt as _, http};
use serde::Deserialize;

use super::Parameters;
use crate::domain::Allowance;
use crate::error::{Code, Error, Result};
use crate::json;

/// The most bytes of a body on most routes.
const SMALL_BODY: usize = 256 * 1024;
/// The most bytes of a body on routes that receive whole conversations.
const LARGE_BODY: usize = 4 * 1024 * 1024;
/// Some programs begin UTF-8 files with it.
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
    /// Creates the request from an event of an HTTP API.
    #[must_use]
    pub fn new(inner: lambda_http::Request) -> Self {
        let RequestContext::ApiGatewayV2(context) = inner.request_context() else {
            let nothing = String::new;
            return Self::routed(inner, nothing(), nothing(), nothing());
        };
        let (route_key, id) = (context.route_key.unwrap_or_default(), context.request_id.unwrap_or_default());
        // `HEAD` is handled as `GET`; the body is removed in the end.
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

    /// The client's IP address as API Gateway saw it. Headers of the client do not matter.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the answer is to have no body.
    pub(super) fn is_head(&self) -> bool {
        self.inner.method() == http::Method::HEAD
    }

    /// Whether the method may change something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !self.inner.method().is_safe()
    }

    /// Notes how many requests are left, for the headers of the answer. If it is called again, the lower number counts.
    pub fn note_allowance(&self, allowance: Allowance) {
        let mut noted = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.is_none_or(|noted| allowance.remaining <= noted.remaining) {
            *noted = Some(allowance);
        }
    }

    pub(super) fn allowance(&self) -> Option<Allowance> {
        *self.allowance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `User-Agent`, up to 256 characters of it.
    #[must_use]
    pub fn user_agent(&self) -> String {
        let value = self.inner.headers().get(http::header::USER_AGENT).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().chars().take(256).collect()
    }

    /// Whether the header `Prefer` has this preference.
    #[must_use]
    pub fn prefers(&self, preference: &str) -> bool {
        let members = self.members(PREFER);
        members.flat_map(|value| value.split(';')).any(|value| value.trim().eq_ignore_ascii_case(preference))
    }

    /// The bearer token.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] if there is none.
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

    /// A parameter of the path, parsed. A parameter that breaks the rule of its type cannot name anything that
    /// exists, so the error is the same as for something that does not exist.
    ///
    /// # Errors
    /// `absent`.
    pub fn path<T: FromStr>(&self, name: &str, absent: impl FnOnce() -> Error) -> Result<T> {
        let parameters = self.inner.path_parameters();
        parameters.first(name).and_then(|value| value.parse().ok()).ok_or_else(absent)
    }

    /// The value of a header; `None` if it is missing.
    ///
    /// # Errors
    /// [`Code::Invalid`] if it is not visible ASCII text.
    pub(super) fn header(&self, name: &http::HeaderName) -> Result<Option<&str>> {
        let refused = |_| Error::invalid_field(name.as_str(), "must be visible ASCII text");
        self.inner.headers().get(name).map(|value| value.to_str().map_err(refused)).transpose()
    }

    /// The members of a header that is a list. Values that are not text are skipped.
    pub(super) fn members(&self, name: http::HeaderName) -> impl Iterator<Item = &str> {
        let values = self.inner.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(','))
    }

    /// The path, not decoded.
    pub(super) fn raw_path(&self) -> &str {
        self.inner.uri().path()
    }

    /// The body.
    pub(super) fn body(&self) -> &[u8] {
        self.inner.body()
    }

    /// Parses a body of up to 256 KB.
    ///
    /// # Errors
    /// [`Code::UnsupportedMediaType`], [`Code::BodyTooLarge`], [`Code::MalformedJson`], [`Code::Invalid`].
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        json::parse(self.json_up_to(SMALL_BODY)?)
    }

    /// Parses a body of up to 4 MB, for routes that receive whole conversations.
    ///
    /// # Errors
    /// Those of [`Self::json`].
    pub fn large_json<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        json::parse(self.json_up_to(LARGE_BODY)?)
    }

    /// The body as the text of a file of up to 4 MB and 300,000 values, without its byte order mark. It need not be
    /// valid JSON.
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
