//! What is the same for everyone: pages and documents, compressed when the function was built, since an HTTP API
//! compresses nothing.

use std::io::Read as _;

use flate2::read::GzDecoder;
use lambda_http::Body;
use lambda_http::http::StatusCode;
use lambda_http::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, VARY,
};

use super::{Answer, Request, fingerprint};
use crate::error::{Error, Result};

/// For those whose address stays when they change.
const FOR_MINUTES: &str = "public, max-age=300";
/// For those whose address names a version.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A file that a function carries.
#[derive(Clone, Copy)]
pub struct Asset {
    content_type: &'static str,
    gzip: &'static [u8],
    caching: &'static str,
    policy: Option<&'static str>,
}

impl Asset {
    /// A file by its type, compressed with gzip. It may be kept for five minutes.
    #[must_use]
    pub const fn new(content_type: &'static str, gzip: &'static [u8]) -> Self {
        Self { content_type, gzip, caching: FOR_MINUTES, policy: None }
    }

    /// The same, at an address that will never lead to anything else.
    #[must_use]
    pub const fn for_ever(self) -> Self {
        Self { caching: FOR_EVER, ..self }
    }

    /// The same with a `Content-Security-Policy` of its own, in the place of that of data.
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
    /// The answer that gives `asset`: as it is, if its client takes gzip, and inflated otherwise; 304 when the client has
    /// it.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when `If-None-Match` is no text.
    pub fn give(&self, asset: &Asset) -> Result<Answer> {
        let zipped = takes_gzip(self.members(ACCEPT_ENCODING));
        let hash = fingerprint(asset.gzip);
        // Two forms of one file differ byte by byte, so each has a strong tag of its own.
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

/// Whether a client that names these codings takes gzip (RFC 9110, section 12.5.3).
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
    fn gzip_is_sent_to_who_takes_it() {
        let takes = |header: &'static str| takes_gzip(header.split(','));
        for header in ["gzip", "br, gzip;q=0.5", "deflate,*", " x-gzip ; q=1", "*;q=0, gzip"] {
            assert!(takes(header), "{header}");
        }
        for header in ["", "br", "identity", "gzip;q=0", "*, gzip;q=0.0", "*;q=0", "gzipped"] {
            assert!(!takes(header), "{header}");
        }
    }
}
