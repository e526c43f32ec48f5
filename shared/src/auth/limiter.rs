//! The limit on requests: so many in a window of time, for each user and for each network of people we do not know.

use crate::clock;
use crate::domain::{Allowance, Rate, Requester};
use crate::error::{Code, Error, Result};
use crate::store::Store;

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

    /// Counts a request that is a guess at a password, and says what is left, and which guess of its window this is;
    /// guesses are counted where requests have no limit, too.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn count_guess(&self, of: &Requester) -> Result<(Option<Allowance>, u64)> {
        let rate = self.rate.unwrap_or(Rate::UNLIMITED);
        let (allowance, number) = self.store.count_guess(of, rate, clock::now()).await?;
        Ok((self.rate.map(|_| allowance), number))
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
