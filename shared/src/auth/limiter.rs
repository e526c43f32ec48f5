//! The limit on requests: a number in each window of time, for each user and for each network of unauthenticated
//! callers.

use crate::clock;
use crate::domain::{Allowance, Rate, Requester};
use crate::error::{Code, Error, Result};
use crate::store::Store;

/// Counts requests.
#[derive(Clone)]
pub struct Limiter {
    store: Store,
    rate: Option<Rate>,
}

impl Limiter {
    /// Creates a limiter that counts in `store`. Without a rate there is no limit.
    #[must_use]
    pub fn new(store: Store, rate: Option<Rate>) -> Self {
        Self { store, rate }
    }

    /// Counts a request and returns what is left; `None` if there is no limit.
    ///
    /// # Errors
    /// When DynamoDB is unavailable.
    pub async fn count(&self, of: &Requester) -> Result<Option<Allowance>> {
        match self.rate {
            Some(rate) => self.store.count_request(of, rate, clock::now()).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Refuses the request that was just counted if it exceeds the limit.
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
