//! CORS headers of an HTTP API with a `CorsConfiguration`. CORS headers of functions are ignored.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    },
};

use crate::{
    http1::{self, Answer},
    template::Cors,
};

/// The CORS settings as header values.
#[derive(Debug)]
pub(crate) struct CorsHeaders {
    origins: Vec<String>,
    methods: HeaderValue,
    headers: HeaderValue,
    expose: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
    credentials: bool,
}

impl CorsHeaders {
    pub(crate) fn new(cors: &Cors) -> Self {
        let joined = |items: &[String]| HeaderValue::from_str(&items.join(",")).ok();
        Self {
            origins: cors.origins.clone(),
            methods: joined(&cors.methods).unwrap_or(HeaderValue::from_static("")),
            headers: joined(&cors.headers).unwrap_or(HeaderValue::from_static("")),
            expose: joined(&cors.expose).filter(|_| !cors.expose.is_empty()),
            max_age: cors.max_age.map(HeaderValue::from),
            credentials: cors.credentials,
        }
    }

    /// Answers a preflight request. The answer to an origin that is not allowed contains no permission.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Answer> {
        if method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let origin = headers.get(ORIGIN)?;
        let mut answer = http1::empty(StatusCode::NO_CONTENT);
        if let Some(origin) = self.allowed(origin) {
            let to = answer.headers_mut();
            to.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            to.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            to.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
            if self.credentials {
                to.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            if let Some(max_age) = &self.max_age {
                to.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
            }
        }
        Some(answer)
    }

    /// Replaces the CORS headers of a function by those of the gateway.
    pub(crate) fn apply(&self, origin: Option<&HeaderValue>, to: &mut HeaderMap) {
        let own: Vec<HeaderName> =
            to.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
        for name in own {
            to.remove(name);
        }
        let Some(origin) = origin.and_then(|origin| self.allowed(origin)) else {
            return;
        };
        to.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            to.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(expose) = &self.expose {
            to.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }

    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        let exact = self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes());
        let any = self.origins.iter().any(|allowed| allowed == "*");
        match (exact, any) {
            (true, _) => Some(origin.clone()),
            (false, true) => Some(HeaderValue::from_static("*")),
            (false, false) => None,
        }
    }
}
