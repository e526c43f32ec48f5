//! The limit on the frames of a connection.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock;
use crate::domain::{ConnectionId, Millis, Rate, Requester};
use crate::error::Result;
use crate::store::Store;

/// Frames of a connection for each hundred requests of a user: 60 to the 100 of `RATE_LIMIT`.
const SHARE: u64 = 60;
/// Of [`Count::InSteps`], an instance keeps so large a part of the limit to itself.
const PARTS: u64 = 6;
/// More connections than this at once on one instance are only counted less strictly.
const REMEMBERED: usize = 10_000;

/// Counts the frames of connections.
pub struct FrameLimiter {
    store: Store,
    rate: Option<Rate>,
    seen: Mutex<HashMap<ConnectionId, Seen>>,
}

/// What one instance knows of a connection's frames.
#[derive(Default)]
struct Seen {
    window: u64,
    /// In the window, by all instances, when they were last asked.
    told: u64,
    /// Those after that, by this instance.
    untold: u64,
}

/// How strictly frames are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// All instances know of each frame at once, which costs a write.
    EachOne,
    /// An instance tells the others in steps of a sixth of the limit, so each may let so many pass beyond it: for frames that
    /// cost next to nothing, or that another limit bounds.
    InSteps,
}

/// How a frame was counted.
enum Counted {
    /// By this instance: so many, as far as it knows.
    Here(u64),
    /// The other instances are to be told of so many.
    Tell(u64),
}

impl Seen {
    fn count(&mut self, most: u64, how: Count) -> Counted {
        self.untold += 1;
        let frames = self.told + self.untold;
        // What is refused anyway need not be counted one by one.
        let is_over = self.told > most;
        let step = if how == Count::EachOne && !is_over { 1 } else { most.div_ceil(PARTS) };
        let has_news = self.untold >= step || (frames > most && !is_over);
        if has_news { Counted::Tell(std::mem::take(&mut self.untold)) } else { Counted::Here(frames) }
    }
}

/// How fast frames come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Within the limit.
    Kept,
    /// This one is beyond it; the next window begins in so many seconds.
    TooFast(u64),
    /// The connection does not heed that it is too fast: it has sent twice as many as it may.
    Flood,
}

impl FrameLimiter {
    /// A limiter that counts in `store`, in proportion to the rate of a user's requests; without one there is no limit.
    #[must_use]
    pub fn new(store: Store, rate: Option<Rate>) -> Self {
        Self { store, rate: rate.map(|rate| rate.per_hundred(SHARE)), seen: Mutex::default() }
    }

    /// Counts a frame that has just come.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn count(&self, connection: &ConnectionId, how: Count) -> Result<Pace> {
        let (Some(rate), now) = (self.rate, clock::now()) else { return Ok(Pace::Kept) };
        let window = rate.window_at(now);
        let frames = match self.with(connection, window, |seen| seen.count(rate.most(), how)) {
            Counted::Here(frames) => frames,
            Counted::Tell(untold) => self.tell_of(connection, untold, rate, now).await?,
        };
        if frames <= rate.most() {
            return Ok(Pace::Kept);
        }
        if frames > rate.most().saturating_mul(2) {
            return Ok(Pace::Flood);
        }
        let wait = rate.window_ends(now).get().saturating_sub(now.get());
        Ok(Pace::TooFast(wait.div_ceil(1000).max(1)))
    }

    /// Tells the other instances at once of what was counted in steps: it was not worth the leniency.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn tell(&self, connection: &ConnectionId) -> Result<()> {
        let (Some(rate), now) = (self.rate, clock::now()) else { return Ok(()) };
        let window = rate.window_at(now);
        match self.with(connection, window, |seen| std::mem::take(&mut seen.untold)) {
            0 => Ok(()),
            untold => self.tell_of(connection, untold, rate, now).await.map(drop),
        }
    }

    async fn tell_of(&self, connection: &ConnectionId, frames: u64, rate: Rate, now: Millis) -> Result<u64> {
        let of = Requester::Connection(connection.clone());
        let told = self.store.count_requests(&of, frames, rate, now).await?;
        self.with(connection, rate.window_at(now), |seen| seen.told = seen.told.max(told));
        Ok(told)
    }

    fn with<T>(&self, connection: &ConnectionId, window: u64, change: impl FnOnce(&mut Seen) -> T) -> T {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED && !all.contains_key(connection) {
            all.clear();
        }
        let seen = all.entry(connection.clone()).or_default();
        if seen.window != window {
            *seen = Seen { window, ..Seen::default() };
        }
        change(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_told_in_steps_and_of_the_first_one_too_many_at_once() {
        let (mut seen, mut told) = (Seen::default(), Vec::new());
        for _ in 0..75 {
            if let Counted::Tell(untold) = seen.count(60, Count::InSteps) {
                seen.told += untold;
                told.push(untold);
            }
        }
        assert_eq!(told, [10, 10, 10, 10, 10, 10, 1, 10]);
    }

    #[test]
    fn what_is_counted_strictly_takes_along_what_was_not() {
        let mut seen = Seen::default();
        assert!(matches!(seen.count(60, Count::InSteps), Counted::Here(1)));
        assert!(matches!(seen.count(60, Count::EachOne), Counted::Tell(2)));
        seen.told = 61;
        assert!(matches!(seen.count(60, Count::EachOne), Counted::Here(62)));
    }
}
