//! Limits how many frames a connection may send.

use crate::clock;
use crate::domain::{ConnectionId, Rate, Requester};
use crate::error::Result;
use crate::store::Store;

/// The number of frames that a connection may send for each hundred requests of a user: 60 if `RATE_LIMIT` is 100.
const SHARE: u64 = 60;

/// Counts the frames of connections.
pub struct FrameLimiter {
    store: Store,
    rate: Option<Rate>,
}

/// How a frame relates to the limit of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The frame is within the limit.
    WithinLimit,
    /// The frame is beyond the limit; the next window begins in so many seconds.
    TooFast(u64),
    /// The connection has sent more than twice as many frames as it may.
    Flood,
}

impl FrameLimiter {
    /// Creates a limiter that counts in `store`, in proportion to the rate of a user's requests. Without a rate there
    /// is no limit.
    #[must_use]
    pub fn new(store: Store, rate: Option<Rate>) -> Self {
        Self { store, rate: rate.map(|rate| rate.per_hundred(SHARE)) }
    }

    /// Counts a frame that has just arrived.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn count(&self, connection: &ConnectionId) -> Result<Pace> {
        let (Some(rate), now) = (self.rate, clock::now()) else { return Ok(Pace::WithinLimit) };
        let requester = Requester::Connection(connection.clone());
        let frames = self.store.count_requests(&requester, 1, rate, now).await?;
        if frames <= rate.most() {
            return Ok(Pace::WithinLimit);
        }
        if frames > rate.most().saturating_mul(2) {
            return Ok(Pace::Flood);
        }
        let wait = rate.window_ends(now).get().saturating_sub(now.get());
        Ok(Pace::TooFast(wait.div_ceil(1000).max(1)))
    }
}
