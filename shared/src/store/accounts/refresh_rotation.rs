//! Rotation of refresh tokens. Each session has one current refresh token. Using it replaces it by a successor. A token
//! that was used less than 10 s ago may be used again and yields the same successor, because clients repeat requests
//! whose answers were lost, and browser tabs refresh at the same time. A token that was used longer ago must have been
//! stolen.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use serde::{Deserialize, Serialize};

use super::sessions::SessionItem;
use crate::domain::accounts::session::ends_at;
use crate::domain::{Millis, SessionId, UserId};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::retry;
use crate::store::dynamo::{Expression, Updated, from_item, number, text};
use crate::store::{Store, key};

/// How long after its use a refresh token still yields its successor.
const GRACE_MILLIS: u64 = 10_000;
/// The most used tokens that a session remembers, so that its item stays small however often it is refreshed.
const MOST_REMEMBERED: usize = 100;

/// The outcome of presenting a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The successor is the current token now.
    Rotated,
    /// The token was used less than 10 s ago. Contains the hash of the successor that was issued then.
    Repeated(String),
    /// The token was used longer ago, so two parties have it.
    Reused,
    /// There is no such session, or it has expired.
    Ended,
}

/// A refresh token that was used recently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct UsedToken {
    hash: String,
    at: Millis,
}

impl UsedToken {
    fn is_in_grace(&self, now: Millis) -> bool {
        now.get().saturating_sub(self.at.get()) < GRACE_MILLIS
    }
}

/// The rotation of one token; both tokens are given as hashes.
struct Exchange<'a> {
    presented: &'a str,
    successor: &'a str,
    session: SessionId,
    now: Millis,
}

impl Exchange<'_> {
    /// The update that makes the rotation. The session then remembers the tokens in `used` and the presented one as
    /// used.
    fn change(&self, mut used: Vec<UsedToken>) -> Result<Expression> {
        used.push(UsedToken { hash: self.presented.to_owned(), at: self.now });
        let used: AttributeValue = serde_dynamo::to_attribute_value(&used).map_err(Error::internal)?;
        // The id of a session contains the time at which the session began.
        let expires_at = ends_at(self.session.created_at(), self.now);
        Ok(Expression::default()
            .set("refresh_hash", text(self.successor))
            .set("used", used)
            .set("last_used_at", number(self.now.get()))
            .set("expires_at", number(expires_at.seconds()))
            .when_equal("refresh_hash", text(self.presented))
            .when_greater("expires_at", number(self.now.seconds())))
    }
}

impl Store {
    /// Replaces the refresh token with the hash `presented` by `successor`. Of several concurrent requests with one
    /// token, one rotates it and the others repeat it; all yield the same successor. A token can be repeated for 10 s
    /// after its use, even if its successor has been used meanwhile.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable, or when the session changed on all attempts.
    pub async fn rotate_refresh_token(
        &self,
        user: UserId,
        session: SessionId,
        presented: &str,
        successor: &str,
        now: Millis,
    ) -> Result<Rotation> {
        let exchange = Exchange { presented, successor, session, now };
        let grace_began = number(now.get().saturating_sub(GRACE_MILLIS));
        // As a rule no token was used in the last 10 s, so there is none to remember, and one request is enough.
        let mut change =
            exchange.change(Vec::new())?.when_absent_or_other_at_most("used", "last_used_at", grace_began);
        let mut attempts = retry::HOT_ITEM.attempts();
        while attempts.next().await {
            let item = match self.try_update(key::session(user, session), &change, ReturnValue::None).await? {
                Updated::Done(_) => return Ok(Rotation::Rotated),
                Updated::Refused(None) => return Ok(Rotation::Ended),
                Updated::Refused(Some(item)) => from_item::<SessionItem>(item)?,
            };
            if !item.is_live(now) {
                return Ok(Rotation::Ended);
            }
            if item.refresh_hash != presented {
                return Ok(repetition_or_reuse(item, presented, now));
            }
            // Every change of the list also changes `refresh_hash`, which is part of the condition, so no entry is
            // lost.
            change = exchange.change(still_in_grace(item.used, now))?;
        }
        Err(Error::unavailable(
            "cannot rotate a refresh token: other requests changed the session on all attempts",
        ))
    }
}

fn still_in_grace(mut used: Vec<UsedToken>, now: Millis) -> Vec<UsedToken> {
    used.retain(|token| token.is_in_grace(now));
    let excess = used.len().saturating_sub(MOST_REMEMBERED - 1);
    used.split_off(excess)
}

/// Decides whether a token that is not the current one is a repetition or a reuse.
fn repetition_or_reuse(item: SessionItem, presented: &str, now: Millis) -> Rotation {
    let mut later = item.used.into_iter().skip_while(|token| token.hash != presented);
    match later.next() {
        Some(token) if token.is_in_grace(now) => {
            Rotation::Repeated(later.next().map_or(item.refresh_hash, |token| token.hash))
        }
        _ => Rotation::Reused,
    }
}
