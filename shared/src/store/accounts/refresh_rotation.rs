//! Refresh tokens take each other's place: of each session, one is current, and those used a moment ago are good again.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use serde::{Deserialize, Serialize};

use super::sessions::SessionItem;
use crate::domain::session::ends_at;
use crate::domain::{Millis, SessionId, UserId};
use crate::error::{Error, Result};
use crate::retry;
use crate::store::dynamo::{Expression, Updated, from_item, number, text};
use crate::store::{Store, key};

/// For so long after it was used, a refresh token still gives its successor.
const GRACE_MILLIS: u64 = 10_000;
/// A session remembers no more used tokens, so that its item stays small however often it is refreshed.
const MOST_REMEMBERED: usize = 100;

/// What became of a refresh token that was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Its successor is good from now on.
    Rotated,
    /// It was used a moment ago: its successor, with this hash, was given then.
    Repeated(String),
    /// It was used longer ago, so two have it.
    Reused,
    /// There is no such session, or its time is over.
    Ended,
}

/// A refresh token that was used a moment ago.
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

/// One token and the one that takes its place, both as hashes.
struct Exchange<'a> {
    presented: &'a str,
    successor: &'a str,
    session: SessionId,
    now: Millis,
}

impl Exchange<'_> {
    /// The exchange, after which the session remembers the tokens in `used` besides the presented one.
    fn change(&self, mut used: Vec<UsedToken>) -> Result<Expression> {
        used.push(UsedToken { hash: self.presented.to_owned(), at: self.now });
        let used: AttributeValue = serde_dynamo::to_attribute_value(&used).map_err(Error::internal)?;
        // A session is as old as its id.
        let ends_at = ends_at(self.session.made_at(), self.now);
        Ok(Expression::default()
            .set("refresh_hash", text(self.successor))
            .set("used", used)
            .set("last_used_at", number(self.now.get()))
            .set("expires_at", number(ends_at.seconds()))
            .when_equal("refresh_hash", text(self.presented))
            .when_greater("expires_at", number(self.now.seconds())))
    }
}

impl Store {
    /// Puts the successor in the place of the refresh token with the hash `presented`. Of many requests at once, one rotates
    /// and the others repeat; all have the same successor. A token repeats for 10 s after it was used, also when its successor
    /// was used meanwhile.
    ///
    /// # Errors
    /// When DynamoDB is out of reach, or other requests rotated the token ten times meanwhile.
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
        // Nearly always, no token was used in the last 10 s, and there is none to remember: one request.
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
                return Ok(judge(item, presented, now));
            }
            // Whatever else changes the list also changes the hash that the condition compares.
            change = exchange.change(remembered(item.used, now))?;
        }
        Err(Error::unavailable("a session changed on all attempts to rotate its refresh token"))
    }
}

fn remembered(mut used: Vec<UsedToken>, now: Millis) -> Vec<UsedToken> {
    used.retain(|token| token.is_in_grace(now));
    let forgotten = used.len().saturating_sub(MOST_REMEMBERED - 1);
    used.split_off(forgotten)
}

/// Tells a token that was used a moment ago from one that somebody else has.
fn judge(item: SessionItem, presented: &str, now: Millis) -> Rotation {
    let mut later = item.used.into_iter().skip_while(|token| token.hash != presented);
    match later.next() {
        Some(token) if token.is_in_grace(now) => {
            Rotation::Repeated(later.next().map_or(item.refresh_hash, |token| token.hash))
        }
        _ => Rotation::Reused,
    }
}
