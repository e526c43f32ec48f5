//! The limit on requests: so many in a window of time, for each user and for each network of people we do not know.

use ulid::Ulid;

use crate::clock;
use crate::domain::{Allowance, Millis, Rate, Requester};
use crate::error::{Code, Error, Result};
use crate::store::{LONGEST_GUESS_SECONDS, Store};

/// A guess at a password that was counted and is not judged yet.
pub struct CountedGuess {
    /// How many others of its window are not judged either.
    pub others: u64,
    /// The window before, if guesses of it may not be judged either.
    pub window_before: Option<u64>,
    of: Requester,
    id: Ulid,
    rate: Rate,
    at: Millis,
}

/// Counts requests and refuses those beyond the limit.
#[derive(Clone)]
pub struct Limiter {
    store: Store,
    rate: Option<Rate>,
}

impl Limiter {
    /// A limiter that counts in `store`. Without a rate there is no limit.
    #[must_use]
    pub fn new(store: Store, rate: Option<Rate>) -> Self {
        Self { store, rate }
    }

    /// Counts a request, and says what is left; nothing when there is no limit.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn count(&self, of: &Requester) -> Result<Option<Allowance>> {
        match self.rate {
            Some(rate) => self.store.count_request(of, rate, clock::now()).await.map(Some),
            None => Ok(None),
        }
    }

    /// Counts a request that is a guess at a password, and says what is left; guesses are counted where requests have no
    /// limit, too.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn count_guess(&self, of: Requester) -> Result<(Option<Allowance>, CountedGuess)> {
        let (rate, at, id) = (self.rate.unwrap_or(Rate::UNLIMITED), clock::now(), clock::new_ulid());
        let (allowance, others) = self.store.count_guess(&of, id, rate, at).await?;
        let window_before = rate.window_before(at, LONGEST_GUESS_SECONDS);
        Ok((self.rate.map(|_| allowance), CountedGuess { others, window_before, of, id, rate, at }))
    }

    /// The guess has been judged, or refused.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn settle_guess(&self, guess: &CountedGuess) -> Result<()> {
        self.store.settle_guess(&guess.of, guess.id, guess.rate, guess.at).await
    }
}

/// Refuses the request that was just counted if it was one too many.
///
/// # Errors
/// [`Code::RateLimited`].
pub fn check_allowance(allowance: &Allowance) -> Result<()> {
    if !allowance.exceeded {
        return Ok(());
    }
    let milliseconds = allowance.resets_at.get().saturating_sub(clock::now().get());
    Err(Error::retry_after(Code::RateLimited, milliseconds.div_ceil(1000).max(1)))
}
