//! The limit on the frames that a connection sends.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock;
use crate::domain::{ConnectionId, Millis, Rate, Requester};
use crate::error::Result;
use crate::store::Store;

/// The frames that a connection may send for every 100 requests that a user may make.
const FRAMES_PER_HUNDRED_REQUESTS: u64 = 60;
/// The steps of [`Count::InSteps`] in a limit.
const STEPS: u64 = 6;
/// How many connections an instance remembers. If there are more, it forgets all and counts less strictly for a while.
const CAPACITY: usize = 10_000;

/// Counts the frames of connections.
pub struct FrameLimiter {
    store: Store,
    rate: Option<Rate>,
    connections: Mutex<HashMap<ConnectionId, FrameCount>>,
}

/// The frames of a connection in a window of time, as one instance knows them.
#[derive(Default)]
struct FrameCount {
    window: u64,
    /// The number that the store had after this instance last added to it.
    stored: u64,
    /// The number that this instance has counted since then.
    unstored: u64,
}

/// How strictly frames are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Each frame is added to the number in the store, which costs a write.
    EachOne,
    /// An instance adds to the number in the store in steps of a sixth of the limit, so each instance may let that
    /// many frames pass beyond the limit. For frames that are cheap, or that another limit bounds.
    InSteps,
}

/// How a frame was counted.
enum Counted {
    /// Only in this instance, which knows this number of frames.
    Locally(u64),
    /// This number is to be added to the number in the store.
    ToStore(u64),
}

impl FrameCount {
    fn count(&mut self, most: u64, how: Count) -> Counted {
        self.unstored += 1;
        let frames = self.stored + self.unstored;
        // Frames that are refused anyway need not be stored one by one.
        let is_over = self.stored > most;
        let step = if how == Count::EachOne && !is_over { 1 } else { most.div_ceil(STEPS) };
        if self.unstored >= step || (frames > most && !is_over) {
            return Counted::ToStore(std::mem::take(&mut self.unstored));
        }
        Counted::Locally(frames)
    }
}

/// How the frames of a connection compare with the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The frame is within the limit.
    WithinLimit,
    /// The frame exceeds the limit. The next window begins in so many seconds.
    TooFast(u64),
    /// The connection has sent more than twice the limit.
    Flood,
}

impl FrameLimiter {
    /// Creates a limiter that counts in `store`. The limit is proportional to `rate`, that of a user's requests;
    /// without a rate there is no limit.
    #[must_use]
    pub fn new(store: Store, rate: Option<Rate>) -> Self {
        Self {
            store,
            rate: rate.map(|rate| rate.per_hundred(FRAMES_PER_HUNDRED_REQUESTS)),
            connections: Mutex::default(),
        }
    }

    /// Counts a frame.
    ///
    /// # Errors
    /// When DynamoDB is unavailable.
    pub async fn count(&self, connection: &ConnectionId, how: Count) -> Result<Pace> {
        let (Some(rate), now) = (self.rate, clock::now()) else { return Ok(Pace::WithinLimit) };
        let window = rate.window_at(now);
        let frames = match self.with(connection, window, |frames| frames.count(rate.most(), how)) {
            Counted::Locally(frames) => frames,
            Counted::ToStore(unstored) => self.store_count(connection, unstored, rate, now).await?,
        };
        if frames <= rate.most() {
            return Ok(Pace::WithinLimit);
        }
        if frames > rate.most().saturating_mul(2) {
            return Ok(Pace::Flood);
        }
        let wait = rate.window_ends(now).get().saturating_sub(now.get());
        Ok(Pace::TooFast(wait.div_ceil(1000).max(1)))
    }

    /// Adds the frames that only this instance has counted to the number in the store.
    ///
    /// # Errors
    /// When DynamoDB is unavailable.
    pub async fn flush(&self, connection: &ConnectionId) -> Result<()> {
        let (Some(rate), now) = (self.rate, clock::now()) else { return Ok(()) };
        let window = rate.window_at(now);
        match self.with(connection, window, |frames| std::mem::take(&mut frames.unstored)) {
            0 => Ok(()),
            unstored => self.store_count(connection, unstored, rate, now).await.map(drop),
        }
    }

    async fn store_count(
        &self,
        connection: &ConnectionId,
        count: u64,
        rate: Rate,
        now: Millis,
    ) -> Result<u64> {
        let of = Requester::Connection(connection.clone());
        let stored = self.store.count_requests(&of, count, rate, now).await?;
        self.with(connection, rate.window_at(now), |frames| frames.stored = frames.stored.max(stored));
        Ok(stored)
    }

    fn with<T>(
        &self,
        connection: &ConnectionId,
        window: u64,
        change: impl FnOnce(&mut FrameCount) -> T,
    ) -> T {
        let mut all = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CAPACITY && !all.contains_key(connection) {
            all.clear();
        }
        let frames = all.entry(connection.clone()).or_default();
        if frames.window != window {
            *frames = FrameCount { window, ..FrameCount::default() };
        }
        change(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_stored_in_steps_and_the_first_beyond_the_limit_at_once() {
        let (mut frames, mut steps) = (FrameCount::default(), Vec::new());
        for _ in 0..75 {
            if let Counted::ToStore(unstored) = frames.count(60, Count::InSteps) {
                frames.stored += unstored;
                steps.push(unstored);
            }
        }
        assert_eq!(steps, [10, 10, 10, 10, 10, 10, 1, 10]);
    }

    #[test]
    fn a_frame_that_is_stored_at_once_takes_the_others_with_it() {
        let mut frames = FrameCount::default();
        assert!(matches!(frames.count(60, Count::InSteps), Counted::Locally(1)));
        assert!(matches!(frames.count(60, Count::EachOne), Counted::ToStore(2)));
        frames.stored = 61;
        assert!(matches!(frames.count(60, Count::EachOne), Counted::Locally(62)));
    }
}
