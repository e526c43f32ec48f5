//! Requests that a client may send again: under one `Idempotency-Key`, only the first has an effect.
//!
//! What a request makes and the memory of it are written by one transaction, so there is no moment at which one is
//! there without the other. To make another operation repeatable: put [`Store::remember`] into its transaction, and
//! ask [`Store::find_made`] when that was refused. Never for credentials.

use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

use super::dynamo::{Expression, Write, item_at, number};
use super::{Store, key};
use crate::clock;
use crate::domain::{RuleBroken, UserId};
use crate::error::{Code, Error, Result};

/// How long a request is remembered: a day.
const REMEMBERED_SECONDS: u64 = 86_400;

/// The key that a client gave a request: 1 to 128 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl FromStr for IdempotencyKey {
    type Err = RuleBroken;

    fn from_str(text: &str) -> Result<Self, RuleBroken> {
        if !(1..=128).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RuleBroken("must have 1 to 128 visible ASCII characters".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// What makes a request the same one when it is sent again: its key, its route and its body.
#[derive(Clone, Debug)]
pub struct Once {
    key: IdempotencyKey,
    fingerprint: String,
}

impl Once {
    /// The request with this key. `place` is the route with what its path names.
    #[must_use]
    pub fn new(key: IdempotencyKey, place: &str, body: &[u8]) -> Self {
        let body = BASE64.encode(digest(&SHA256, body));
        let fingerprint = BASE64.encode(digest(&SHA256, format!("{place}\n{body}").as_bytes()));
        Self { key, fingerprint }
    }
}

/// What became of an operation that may be asked for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made<T> {
    /// It was done just now.
    Now(T),
    /// It was done when the same request came before: the id of what it made.
    Before(String),
}

#[derive(Serialize, Deserialize)]
struct RequestItem {
    fingerprint: String,
    made: String,
    expires_at: u64,
}

impl Store {
    /// The write that remembers a request and the id of what it makes. It is refused when the key was used within a
    /// day.
    ///
    /// # Errors
    /// None that can be thought of.
    pub(super) fn remember(&self, user: UserId, once: &Once, made: &str) -> Result<Write> {
        let now = clock::now();
        let item = RequestItem {
            fingerprint: once.fingerprint.clone(),
            made: made.to_owned(),
            expires_at: now.plus_seconds(REMEMBERED_SECONDS).seconds(),
        };
        let item = item_at(key::request(user, &once.key.0), "request", &item)?;
        // What has expired may stay in the table for a while.
        let unused = Expression::default().when_absent_or_less("expires_at", number(now.seconds()));
        Ok(Write::replace(&self.studio, item, unused))
    }

    /// What this request made when it came before; none when it did not.
    ///
    /// # Errors
    /// [`Code::IdempotencyKeyReused`] when another request came under its key.
    pub async fn find_made(&self, user: UserId, once: Option<&Once>) -> Result<Option<String>> {
        let Some(once) = once else { return Ok(None) };
        let item: Option<RequestItem> = self.find_item(key::request(user, &once.key.0)).await?;
        let Some(item) = item.filter(|item| item.expires_at > clock::now().seconds()) else {
            return Ok(None);
        };
        if item.fingerprint != once.fingerprint {
            let detail = "This Idempotency-Key was used for another request; please choose another one";
            return Err(Error::new(Code::IdempotencyKeyReused, detail));
        }
        Ok(Some(item.made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_same_in_key_place_and_body_alone() {
        let once =
            |place: &str, body: &str| Once::new("k".parse().unwrap(), place, body.as_bytes()).fingerprint;
        assert_eq!(once("POST /a", "{}"), once("POST /a", "{}"));
        assert_ne!(once("POST /a", "{}"), once("POST /b", "{}"));
        assert_ne!(once("POST /a", "{}"), once("POST /a", "{ }"));
        for bad in ["", "a b", "ключ", &"x".repeat(129)] {
            assert!(bad.parse::<IdempotencyKey>().is_err(), "{bad}");
        }
    }
}
