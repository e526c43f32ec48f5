//! Counters of failed guesses at passwords. Each guess is counted as a failure before it is verified, so concurrent
//! guesses are all counted. After a correct guess the counter is reset.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::Deserialize;

use crate::domain::{FREE_FAILURES, Failures, Millis, Network, UserId};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::dynamo::{Expression, Item, Key, Updated, from_item, number};
use crate::store::{Store, key};

/// A counter of failed guesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureCounter {
    /// Guesses at the password of a user, counted in the user's own item.
    OfUser(UserId),
    /// Guesses at a name that no user has, in canonical form.
    OfName(String),
    /// Guesses from a network.
    From(Network),
    /// Wrong passwords of a user who is logged in and confirms an action. Counted apart, so that strangers who guess
    /// the password cannot lock the user out of the session.
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

    /// For how many seconds a failure counts. Many people may share a network, so its failures are forgotten sooner.
    fn remembered_seconds(&self) -> u64 {
        if matches!(self, Self::From(_)) { 3600 } else { 86_400 }
    }

    /// `failures`, or none if they are so old that they no longer count at `now`.
    pub(in crate::store) fn remembered(&self, failures: Failures, now: Millis) -> Failures {
        failures.remembered_at(now, self.remembered_seconds())
    }

    /// Failures before this time no longer count at `now`.
    fn forgotten_at(&self, now: Millis) -> Millis {
        Millis::saturating(now.get().saturating_sub(self.remembered_seconds() * 1000))
    }

    /// The update that replaces the failures `known` by `by`, on condition that they have not changed.
    fn replaced(&self, known: Failures, by: Failures) -> Expression {
        self.changed(by.last_at)
            .set("failures", number(by.count))
            .when_equal("failures", number(known.count))
            .when_equal("failed_at", number(known.last_at.get()))
    }

    /// The update that sets the time of the last failure. A user's own item must exist; all other counters are created
    /// if necessary.
    fn changed(&self, now: Millis) -> Expression {
        let changed = Expression::default().set("failed_at", number(now.get()));
        match self {
            Self::OfUser(_) => changed.when_exists("pk"),
            _ => changed.set("expires_at", number(now.plus_seconds(self.remembered_seconds()).seconds())),
        }
    }
}

/// The outcome of counting a guess: it was counted and may be verified, or it must wait.
pub(in crate::store) struct TriedAttempt {
    /// The item of the counter as it was before; `None` when it did not exist.
    pub(in crate::store) before: Option<Item>,
    /// The seconds to wait, if the guess was not counted.
    pub(in crate::store) wait: Option<u64>,
}

impl Store {
    /// Counts a guess at `now` as a failure before it is verified. Concurrent guesses cannot exceed the limit.
    ///
    /// # Errors
    /// [`Code::TooManyAttempts`], with the seconds to wait, when another guess is not allowed yet.
    pub async fn reserve_attempt(&self, attempts: &FailureCounter, now: Millis) -> Result<()> {
        match self.try_attempt(attempts, now).await?.wait {
            Some(seconds) => Err(Error::retry_after(Code::TooManyAttempts, seconds)),
            None => Ok(()),
        }
    }

    /// Like [`Self::reserve_attempt`], but returns the counter's item. Takes one request while failures are free.
    pub(in crate::store) async fn try_attempt(
        &self,
        attempts: &FailureCounter,
        now: Millis,
    ) -> Result<TriedAttempt> {
        let (mut before, mut known) = (None, Failures::default());
        let mut retries = retry::HOT_ITEM.attempts();
        while retries.next().await {
            let counting = attempts.remembered(known, now);
            if let Some(seconds) = counting.wait_at(now) {
                return Ok(TriedAttempt { before, wait: Some(seconds) });
            }
            let reserved = if known == counting && known.is_free() {
                attempts.changed(now).add("failures", 1).when_absent_or_less_while_greater(
                    "failures",
                    number(FREE_FAILURES),
                    "failed_at",
                    number(attempts.forgotten_at(now).get()),
                )
            } else {
                attempts.replaced(known, counting.plus_one(now))
            };
            match self.try_update(attempts.key(), &reserved, ReturnValue::AllOld).await? {
                Updated::Done(old) => {
                    return Ok(TriedAttempt { before: (!old.is_empty()).then_some(old), wait: None });
                }
                // The account of the user was deleted.
                Updated::Refused(None) => return Ok(TriedAttempt { before: None, wait: None }),
                Updated::Refused(Some(item)) => {
                    known = failures(&item)?;
                    before = Some(item);
                }
            }
        }
        // So many concurrent requests for one counter can only be an attack.
        Ok(TriedAttempt { before, wait: Some(1) })
    }

    /// Takes back a guess that [`Self::reserve_attempt`] counted.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn release_attempt(&self, attempts: &FailureCounter) -> Result<()> {
        let released = Expression::default().add("failures", -1).when_greater("failures", number(0));
        self.update(attempts.key(), &released, ReturnValue::None).await?;
        Ok(())
    }

    /// Counts a failure at `now` that was not reserved.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn count_failure(&self, attempts: &FailureCounter, now: Millis) -> Result<()> {
        let forgotten = number(attempts.forgotten_at(now).get());
        let another = attempts.changed(now).add("failures", 1).when_absent_or_greater("failed_at", forgotten);
        let mut retries = retry::HOT_ITEM.attempts();
        while retries.next().await {
            let refused = self.try_update(attempts.key(), &another, ReturnValue::None).await?;
            let Updated::Refused(Some(item)) = refused else { return Ok(()) };
            // The stored failures are so old that they no longer count.
            let anew = attempts.replaced(failures(&item)?, Failures::default().plus_one(now));
            if self.update(attempts.key(), &anew, ReturnValue::None).await?.is_some() {
                return Ok(());
            }
        }
        Err(Error::unavailable(
            "cannot count a failed login: other requests changed the counter on all attempts",
        ))
    }

    /// Resets the counter after a correct guess.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn forget_failures(&self, attempts: &FailureCounter) -> Result<()> {
        let forgotten = Expression::default().remove("failures").remove("failed_at").when_exists("failures");
        self.update(attempts.key(), &forgotten, ReturnValue::None).await?;
        Ok(())
    }
}

/// The failures that the item of a counter contains.
pub(in crate::store) fn failures(item: &Item) -> Result<Failures> {
    let item: FailuresItem = from_item(item.clone())?;
    Ok(Failures { count: item.failures, last_at: item.failed_at })
}
