//! Guesses at passwords, counted before they are judged, so that a thousand at once are a thousand.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::Deserialize;

use crate::domain::{FREE_FAILURES, Failures, Millis, Network, UserId};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::dynamo::{Expression, Item, Key, Updated, from_item, number};
use crate::store::{Store, key};

/// What guesses are counted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureCounter {
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

impl FailureCounter {
    pub(in crate::store) fn key(&self) -> Key {
        match self {
            Self::OfUser(user) => key::user(*user),
            Self::OfName(name) => key::failures(format_args!("NAME#{name}")),
            Self::From(network) => key::failures(network),
            Self::Confirming(user) => key::failures_of_user(*user),
        }
    }

    /// For how many seconds a failure counts. Many people may share a network, so it is forgiven sooner.
    fn remembered_seconds(&self) -> u64 {
        if matches!(self, Self::From(_)) { 3600 } else { 86_400 }
    }

    /// `failures` as far as they are not forgotten at `now`.
    pub(in crate::store) fn remembered(&self, failures: Failures, now: Millis) -> Failures {
        failures.remembered_at(now, self.remembered_seconds())
    }

    /// When the last failure was, at the latest, for those at `now` not to count any more.
    fn forgotten_at(&self, now: Millis) -> Millis {
        Millis::saturating(now.get().saturating_sub(self.remembered_seconds() * 1000))
    }

    /// An update that puts these failures in the place of those that were `seen`, if they are still there.
    fn replaced(&self, seen: Failures, by: Failures) -> Expression {
        self.changed(by.last_at)
            .set("failures", number(by.count))
            .when_equal("failures", number(seen.count))
            .when_equal("failed_at", number(seen.last_at.get()))
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

/// A guess that was counted as a failure before it is judged, or refused.
pub(in crate::store) struct TriedAttempt {
    /// The item that counts, as it was before; none when there was none.
    pub(in crate::store) before: Option<Item>,
    /// How many seconds to wait, for a guess that was not counted.
    pub(in crate::store) wait: Option<u64>,
}

impl Store {
    /// Counts a guess at `now` as a failure, before it is judged: of many at once, no more pass than may.
    ///
    /// # Errors
    /// [`Code::TooManyAttempts`], with the seconds to wait.
    pub async fn reserve_attempt(&self, attempts: &FailureCounter, now: Millis) -> Result<()> {
        match self.try_attempt(attempts, now).await?.wait {
            Some(seconds) => Err(Error::retry_after(Code::TooManyAttempts, seconds)),
            None => Ok(()),
        }
    }

    /// The same, with the item that counts: one request, as long as failures are free.
    pub(in crate::store) async fn try_attempt(
        &self,
        attempts: &FailureCounter,
        now: Millis,
    ) -> Result<TriedAttempt> {
        let (mut before, mut seen) = (None, Failures::default());
        let mut retries = retry::HOT_ITEM.attempts();
        while retries.next().await {
            let counting = attempts.remembered(seen, now);
            if let Some(seconds) = counting.wait_at(now) {
                return Ok(TriedAttempt { before, wait: Some(seconds) });
            }
            let reserved = if seen == counting && seen.is_free() {
                attempts.changed(now).add("failures", 1).when_absent_or_less_while_greater(
                    "failures",
                    number(FREE_FAILURES),
                    "failed_at",
                    number(attempts.forgotten_at(now).get()),
                )
            } else {
                attempts.replaced(seen, counting.and_another(now))
            };
            match self.try_update(attempts.key(), &reserved, ReturnValue::AllOld).await? {
                Updated::Done(old) => {
                    return Ok(TriedAttempt { before: (!old.is_empty()).then_some(old), wait: None });
                }
                // A user that is gone.
                Updated::Refused(None) => return Ok(TriedAttempt { before: None, wait: None }),
                Updated::Refused(Some(item)) => {
                    seen = failures(&item)?;
                    before = Some(item);
                }
            }
        }
        // So many at once are guesses, whoever makes them.
        Ok(TriedAttempt { before, wait: Some(1) })
    }

    /// Takes back what [`Self::reserve_attempt`] counted.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn release_attempt(&self, attempts: &FailureCounter) -> Result<()> {
        let released = Expression::default().add("failures", -1).when_greater("failures", number(0));
        self.update(attempts.key(), &released, ReturnValue::None).await?;
        Ok(())
    }

    /// Counts a failure at `now` that was not reserved.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn count_failure(&self, attempts: &FailureCounter, now: Millis) -> Result<()> {
        let forgotten = number(attempts.forgotten_at(now).get());
        let another = attempts.changed(now).add("failures", 1).when_absent_or_greater("failed_at", forgotten);
        let mut retries = retry::HOT_ITEM.attempts();
        while retries.next().await {
            let refused = self.try_update(attempts.key(), &another, ReturnValue::None).await?;
            let Updated::Refused(Some(item)) = refused else { return Ok(()) };
            // Those before are so old that they are forgotten.
            let anew = attempts.replaced(failures(&item)?, Failures::default().and_another(now));
            if self.update(attempts.key(), &anew, ReturnValue::None).await?.is_some() {
                return Ok(());
            }
        }
        Err(Error::unavailable(
            "a failed login could not be counted: other requests changed the counter on all attempts",
        ))
    }

    /// Forgets all failures, after a guess that was right.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn forget_failures(&self, attempts: &FailureCounter) -> Result<()> {
        let forgotten = Expression::default().remove("failures").remove("failed_at").when_exists("failures");
        self.update(attempts.key(), &forgotten, ReturnValue::None).await?;
        Ok(())
    }
}

/// The failures that an item counts.
pub(in crate::store) fn failures(item: &Item) -> Result<Failures> {
    let item: FailuresItem = from_item(item.clone())?;
    Ok(Failures { count: item.failures, last_at: item.failed_at })
}
