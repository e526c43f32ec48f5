//! `ETag`, `If-Match` and `If-None-Match` (RFC 9110, section 13), and `Idempotency-Key`.

use lambda_http::http::StatusCode;
use lambda_http::http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};

use super::{Answer, Request, fingerprint};
use crate::domain::{Expected, IdempotencyKey, Once, Version};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl Request {
    /// The version that the client expects to change (`If-Match`). A header without entity tags matches no version.
    ///
    /// # Errors
    /// [`Code::Invalid`] if the header is not text.
    pub fn expected(&self) -> Result<Expected> {
        Ok(match self.header(&IF_MATCH)? {
            None => Expected::Anything,
            Some(any) if any.trim() == "*" => Expected::Anything,
            // Weak tags never match here.
            Some(tags) => {
                Expected::OneOf(tags_of(tags).filter_map(|tag| strong(tag).map(str::to_owned)).collect())
            }
        })
    }

    /// The versions that the client has already (`If-None-Match`).
    ///
    /// # Errors
    /// [`Code::Invalid`] if the header is not text.
    pub fn known(&self) -> Result<Option<Vec<String>>> {
        let tags = self.header(&IF_NONE_MATCH)?;
        Ok(tags.map(|tags| {
            let tags = tags_of(tags).map(|tag| tag.strip_prefix("W/").unwrap_or(tag));
            tags.filter_map(|tag| strong(tag).map(str::to_owned)).collect()
        }))
    }

    /// The idempotency key of the request, with a hash of the request (`Idempotency-Key`).
    ///
    /// # Errors
    /// [`Code::Invalid`] if the key breaks its rule.
    pub fn once(&self) -> Result<Option<Once>> {
        let Some(key) = self.header(&IDEMPOTENCY_KEY)? else { return Ok(None) };
        let key = key.parse().map_err(|rule| Error::invalid_field("Idempotency-Key", format!("{rule}")))?;
        let route = format!("{} {}", self.route_key(), self.raw_path());
        Ok(Some(once(key, &route, self.body())))
    }
}

impl Answer {
    /// Sets the version of the content (`ETag`).
    #[must_use]
    pub fn with_version(self, version: &Version) -> Self {
        self.with(ETAG, &format!("\"{}\"", version.as_str()))
    }

    /// Answers 304: the client has this version already.
    #[must_use]
    pub fn not_modified(version: &Version) -> Self {
        Self::json(StatusCode::NOT_MODIFIED, "application/json", String::new()).with_version(version)
    }
}

/// The request with this key, route (with its path parameters) and body.
fn once(key: IdempotencyKey, route: &str, body: &[u8]) -> Once {
    Once { key, fingerprint: fingerprint(format!("{route}\n{}", fingerprint(body)).as_bytes()) }
}

fn tags_of(header: &str) -> impl Iterator<Item = &str> {
    header.split(',').map(str::trim)
}

/// The text between the quotes of a strong tag. The studio's own tags contain no commas.
fn strong(tag: &str) -> Option<&str> {
    tag.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quoted_strong_tags_are_read() {
        let tags: Vec<_> = tags_of("\"1.a\", W/\"2.b\" ,3.c,\"\"").map(strong).collect();
        assert_eq!(tags, [Some("1.a"), None, None, Some("")]);
    }

    #[test]
    fn a_repeated_request_has_the_same_key_route_and_body() {
        let of = |route: &str, body: &str| once("k".parse().unwrap(), route, body.as_bytes()).fingerprint;
        assert_eq!(of("POST /a", "{}"), of("POST /a", "{}"));
        assert_ne!(of("POST /a", "{}"), of("POST /b", "{}"));
        assert_ne!(of("POST /a", "{}"), of("POST /a", "{ }"));
    }
}
