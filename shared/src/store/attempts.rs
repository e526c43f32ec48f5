//! Guesses at passwords, counted before they are judged, so that a thousand at once are a thousand.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::Deserialize;

use super::expression::{Expression, number};
use super::key::Key;
use super::{Store, key};
use crate::domain::{Failures, Millis, Network, UserId};
use crate::error::{Code, Error, Result};

/// What guesses are counted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempts {
    /// A user, in the user's own item.
    OfUser(UserId),
    /// A name that nobody has, in canonical form.
    OfName(String),
    /// Those who guess, by where they come from.
    From(Network),
    /// A user who is logged in and confirms something: guessers outside must not keep the user from it.
    Confirming(UserId),
}

#[derive(Deserialize, Default)]
struct FailuresItem {
    #[serde(default)]
    failures: u32,
    #[serde(default)]
    failed_at: Millis,
}

impl Attempts {
    fn key(&self) -> Key {
        match self {
            Self::OfUser(user) => key::user(*user),
            Self::OfName(name) => key::failures(format_args!("NAME#{name}")),
            Self::From(network) => key::failures(network),
            Self::Confirming(user) => key::failures(user),
        }
    }

    /// For how many seconds a failure counts. Many people may share a network, so it is forgiven sooner.
    fn remembered_seconds(&self) -> u64 {
        if matches!(self, Self::From(_)) { 3600 } else { 86_400 }
    }

    /// An update of the item that counts, which is there or, unless it is a user's own, begins with it.
    fn changed(&self, now: Millis) -> Expression {
        let changed = Expression::default().set("failed_at", number(now.get()));
        match self {
            Self::OfUser(_) => changed.when_exists("pk"),
            _ => changed.set("expires_at", number(now.plus_seconds(self.remembered_seconds()).seconds())),
        }
    }
}

impl Store {
    /// The failures that were counted, read consistently.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn find_failures(&self, attempts: &Attempts) -> Result<Failures> {
        let item = self.find_item::<FailuresItem>(attempts.key()).await?.unwrap_or_default();
        Ok(Failures { count: item.failures, last_at: item.failed_at })
    }

    /// Counts a guess at `now` as a failure, before it is judged: of many at once, no more pass than may. `seen` is
    /// what was counted when it was last looked at.
    ///
    /// # Errors
    /// [`Code::TooManyAttempts`], with the seconds to wait.
    pub async fn reserve_attempt(&self, attempts: &Attempts, seen: Failures, now: Millis) -> Result<()> {
        let mut seen = seen;
        for _ in 0..20 {
            let counting = seen.remembered_at(now, attempts.remembered_seconds());
            if let Some(seconds) = counting.wait_at(now) {
                return Err(Error::retry_after(Code::TooManyAttempts, seconds));
            }
            let next = counting.and_another(now);
            let reserved = attempts.changed(now).set("failures", number(next.count));
            let reserved = if seen.count == 0 {
                reserved.when_absent_or_equal("failures", number(0))
            } else {
                reserved
                    .when_equal("failures", number(seen.count))
                    .when_equal("failed_at", number(seen.last_at.get()))
            };
            if self.update(attempts.key(), &reserved, ReturnValue::None).await?.is_some() {
                return Ok(());
            }
            // Another guess was counted in between.
            seen = self.find_failures(attempts).await?;
        }
        // So many at once are guesses, whoever makes them.
        Err(Error::retry_after(Code::TooManyAttempts, 1))
    }

    /// Takes back what [`Self::reserve_attempt`] counted.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn release_attempt(&self, attempts: &Attempts) -> Result<()> {
        let released = Expression::default().add("failures", -1).when_greater("failures", number(0));
        self.update(attempts.key(), &released, ReturnValue::None).await?;
        Ok(())
    }

    /// Counts a failure that was not reserved.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn count_failure(&self, attempts: &Attempts, now: Millis) -> Result<()> {
        let counted = attempts.changed(now).add("failures", 1);
        self.update(attempts.key(), &counted, ReturnValue::None).await?;
        Ok(())
    }

    /// Forgets all failures, after a guess that was right.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn forget_failures(&self, attempts: &Attempts) -> Result<()> {
        let forgotten = Expression::default().remove("failures").remove("failed_at").when_exists("failures");
        self.update(attempts.key(), &forgotten, ReturnValue::None).await?;
        Ok(())
    }
}
