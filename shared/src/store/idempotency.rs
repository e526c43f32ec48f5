//! Requests that a client may send again: under one `Idempotency-Key`, only the first has an effect.
//!
//! What a request makes and the memory of it are written by one transaction, so there is no moment at which one is
//! there without the other. To make another operation repeatable: put [`Store::remember`] into its transaction, and
//! ask [`Store::find_made`] when that was refused. Never for credentials.

use serde::{Deserialize, Serialize};

use super::dynamo::{Expression, Write, item_at, number};
use super::{Store, key};
use crate::clock;
use crate::domain::{Once, UserId};
use crate::error::{Code, Error, Result};

/// How long a request is remembered: a day.
const REMEMBERED_SECONDS: u64 = 86_400;

/// What became of an operation that may be asked for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation<T> {
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
        let item = item_at(key::request(user, once.key.as_str()), "request", &item)?;
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
        let item: Option<RequestItem> = self.find_item(key::request(user, once.key.as_str())).await?;
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
