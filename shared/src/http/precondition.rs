//! `ETag`, `If-Match` and `If-None-Match` (RFC 9110, section 13), and `Idempotency-Key`.

use lambda_http::http::StatusCode;
use lambda_http::http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};

use super::{Answer, Request, fingerprint};
use crate::domain::{Expected, IdempotencyKey, Once, Version};
use crate::error::{Error, Result};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl Request {
    /// What the client expects to change. A header that is no list of entity tags matches nothing.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when the header is no text.
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

    /// The tags of what the client has already, if it says so.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when the header is no text.
    pub fn known(&self) -> Result<Option<Vec<String>>> {
        let tags = self.header(&IF_NONE_MATCH)?;
        Ok(tags.map(|tags| {
            let tags = tags_of(tags).map(|tag| tag.strip_prefix("W/").unwrap_or(tag));
            tags.filter_map(|tag| strong(tag).map(str::to_owned)).collect()
        }))
    }

    /// This request as one that has an effect only once, if its client asks for that.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when the key breaks its rule.
    pub fn once(&self) -> Result<Option<Once>> {
        let Some(key) = self.header(&IDEMPOTENCY_KEY)? else { return Ok(None) };
        let key = key.parse().map_err(|rule| Error::invalid_field("Idempotency-Key", format!("{rule}")))?;
        let route = format!("{} {}", self.route_key(), self.raw_path());
        Ok(Some(once(key, &route, self.body())))
    }
}

impl Answer {
    /// The same with the version of what it shows.
    #[must_use]
    pub fn with_version(self, version: &Version) -> Self {
        self.with(ETAG, &format!("\"{}\"", version.as_str()))
    }

    /// 304: what the client has is this version.
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

/// What stands between the quotes of a strong tag. Ours hold no commas.
fn strong(tag: &str) -> Option<&str> {
    tag.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_from_their_quotes() {
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
