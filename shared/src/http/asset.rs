//! Static files: pages and documents. They are compressed at build time, because an HTTP API does not compress.

use std::io::Read as _;

use flate2::read::GzDecoder;
use lambda_http::Body;
use lambda_http::http::StatusCode;
use lambda_http::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, VARY,
};

use super::{Answer, Request, fingerprint};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};

/// For a file whose URL stays the same when the file changes.
const FOR_MINUTES: &str = "public, max-age=300";
/// For a file whose URL contains its version.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A file that is part of a function's binary.
#[derive(Clone, Copy)]
pub struct Asset {
    content_type: &'static str,
    gzip: &'static [u8],
    caching: &'static str,
    policy: Option<&'static str>,
}

impl Asset {
    /// Creates an asset from a file that is compressed with gzip. Caches may store it for five minutes.
    #[must_use]
    pub const fn new(content_type: &'static str, gzip: &'static [u8]) -> Self {
        Self { content_type, gzip, caching: FOR_MINUTES, policy: None }
    }

    /// Lets caches store the file for ever, because its URL never leads to another one.
    #[must_use]
    pub const fn for_ever(self) -> Self {
        Self { caching: FOR_EVER, ..self }
    }

    /// Sets the `Content-Security-Policy`.
    #[must_use]
    pub const fn with_policy(self, policy: &'static str) -> Self {
        Self { policy: Some(policy), ..self }
    }

    fn inflated(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        GzDecoder::new(self.gzip).read_to_end(&mut bytes).map_err(Error::internal)?;
        Ok(bytes)
    }
}

impl Request {
    /// Answers with `asset`, compressed if the client accepts gzip; 304 if the client has it already.
    ///
    /// # Errors
    /// [`Code::Invalid`] if `If-None-Match` is not text.
    pub fn give(&self, asset: &Asset) -> Result<Answer> {
        let zipped = takes_gzip(self.members(ACCEPT_ENCODING));
        let hash = fingerprint(asset.gzip);
        // The compressed and the plain form differ, so each has a strong tag of its own.
        let tag = if zipped { format!("{hash}-gzip") } else { hash };
        let has = self.known()?.is_some_and(|tags| tags.contains(&tag));
        let answer = if has {
            Answer::of(StatusCode::NOT_MODIFIED, asset.content_type, Body::Empty)
        } else if zipped {
            Answer::of(StatusCode::OK, asset.content_type, Body::Binary(asset.gzip.to_vec()))
                .with(CONTENT_ENCODING, "gzip")
        } else {
            Answer::of(StatusCode::OK, asset.content_type, Body::Binary(asset.inflated()?))
        };
        let answer = answer
            .with(ETAG, &format!("\"{tag}\""))
            .with(VARY, ACCEPT_ENCODING.as_str())
            .with(CACHE_CONTROL, asset.caching);
        Ok(match asset.policy {
            Some(policy) => answer.with(CONTENT_SECURITY_POLICY, policy),
            None => answer,
        })
    }
}

/// Whether a client that names these codings accepts gzip (RFC 9110, section 12.5.3).
fn takes_gzip<'a>(codings: impl Iterator<Item = &'a str>) -> bool {
    let mut any = false;
    for coding in codings {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        let taken = weight.is_none_or(|weight| weight > 0.0);
        match name.trim() {
            "gzip" | "x-gzip" => return taken,
            "*" => any = taken,
            _ => {}
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_clients_that_accept_it() {
        let takes = |header: &'static str| takes_gzip(header.split(','));
        for header in ["gzip", "br, gzip;q=0.5", "deflate,*", " x-gzip ; q=1", "*;q=0, gzip"] {
            assert!(takes(header), "{header}");
        }
        for header in ["", "br", "identity", "gzip;q=0", "*, gzip;q=0.0", "*;q=0", "gzipped"] {
            assert!(!takes(header), "{header}");
        }
    }
}
