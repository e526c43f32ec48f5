//! Idempotency keys: of several requests with one `Idempotency-Key`, only the first takes effect.
//!
//! One transaction writes what a request creates and the item that remembers the request, so neither exists without the
//! other, whenever a process dies. To make another operation idempotent, put [`Store::remember`] into its transaction,
//! and call [`Store::find_earlier_result`] when the transaction was refused. Do not use this for credentials: the
//! second answer could not contain the secret.

use serde::{Deserialize, Serialize};

use super::dynamo::{Expression, Write, item_at, number};
use super::{Store, key};
use crate::clock;
use crate::domain::{Once, UserId};
use crate::error::{Code, Error, Result};

/// How long a request is remembered: one day.
const REMEMBERED_SECONDS: u64 = 86_400;

/// The outcome of an operation that a client may request again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation<T> {
    /// This request did it.
    New(T),
    /// An earlier request with the same key did it. Contains the id of what that request created.
    Repeated(String),
}

#[derive(Serialize, Deserialize)]
struct RequestItem {
    fingerprint: String,
    made: String,
    expires_at: u64,
}

impl Store {
    /// The write that remembers a request and the id of what it creates. Its condition fails when the key was used
    /// within the last day.
    ///
    /// # Errors
    /// [`Code::Internal`] when the item cannot be serialized.
    pub(super) fn remember(&self, user: UserId, once: &Once, created_id: &str) -> Result<Write> {
        let now = clock::now();
        let item = RequestItem {
            fingerprint: once.fingerprint.clone(),
            made: created_id.to_owned(),
            expires_at: now.plus_seconds(REMEMBERED_SECONDS).seconds(),
        };
        let item = item_at(key::request(user, once.key.as_str()), "request", &item)?;
        // DynamoDB deletes expired items late, so an expired item may still be there.
        let unused = Expression::default().when_absent_or_less("expires_at", number(now.seconds()));
        Ok(Write::replace(&self.studio, item, unused))
    }

    /// The id of what an earlier request with the same key created; `None` when there was no such request, or when
    /// `once` is absent.
    ///
    /// # Errors
    /// [`Code::IdempotencyKeyReused`] when the earlier request had another route or body.
    pub async fn find_earlier_result(&self, user: UserId, once: Option<&Once>) -> Result<Option<String>> {
        let Some(once) = once else { return Ok(None) };
        let item: Option<RequestItem> = self.find_item(key::request(user, once.key.as_str())).await?;
        let Some(item) = item.filter(|item| item.expires_at > clock::now().seconds()) else {
            return Ok(None);
        };
        if item.fingerprint != once.fingerprint {
            let detail = "This Idempotency-Key was used for another request. Use a new key for a new request";
            return Err(Error::new(Code::IdempotencyKeyReused, detail));
        }
        Ok(Some(item.made))
    }
}
