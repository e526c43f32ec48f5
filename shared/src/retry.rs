//! How operations are attempted again. Every policy of this crate is defined here, each with a bound and with jitter;
//! only requests to providers have a policy of their own, in `models/transport/retry_policy.rs`. A loop asks the
//! [`Attempts`] of its policy whether it may try again.

use std::time::Duration;

use crate::clock;

/// How often an operation is attempted, and how long the pauses between attempts are.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The most attempts, the first one included.
    attempts: u32,
    /// The longest pause before the second attempt. It doubles with each attempt.
    first_pause: Duration,
    /// The longest pause of all.
    longest_pause: Duration,
}

/// DynamoDB refused a request because a transaction was writing the same item, or left a part of a batch undone.
pub const TRANSACTION: Policy = Policy::new(10, 20, 1000);
/// Many requests write one small item at the same time, each on condition of what it read there.
pub const HOT_ITEM: Policy = Policy::new(20, 5, 40);
/// A change of a conversation is conditioned on the version that was read, and another request made a new version.
pub const CONVERSATION: Policy = Policy::new(20, 20, 1000);
/// An operation reads all messages of a conversation, and a request changed the conversation meanwhile. Each attempt is
/// expensive, so there are few.
pub const WHOLE_CONVERSATION: Policy = Policy::new(8, 20, 320);
/// A reservation was refused; abandoned replies were ended, so the reservation may fit now.
pub const RESERVATION: Policy = Policy::new(2, 0, 0);
/// A batch of writes that must be complete by a deadline, which is what ends the attempts.
pub const BATCH: Policy = Policy::new(10_000, 20, 1000);

impl Policy {
    const fn new(attempts: u32, first_pause: u64, longest_pause: u64) -> Self {
        let (first_pause, longest_pause) =
            (Duration::from_millis(first_pause), Duration::from_millis(longest_pause));
        Self { attempts, first_pause, longest_pause }
    }

    /// Begins the attempts that this policy allows.
    #[must_use]
    pub fn attempts(self) -> Attempts {
        Attempts { policy: self, made: 0 }
    }

    /// The longest pause before attempt number `attempt`, counted from 0.
    fn longest_pause_before(&self, attempt: u32) -> Duration {
        let doubled = self.first_pause.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        doubled.min(self.longest_pause)
    }
}

/// The attempts of one operation.
#[derive(Debug)]
pub struct Attempts {
    policy: Policy,
    made: u32,
}

impl Attempts {
    /// Waits until the next attempt is due: not at all before the first one, then for a random time up to the pause of
    /// the policy. False when no attempt is left.
    pub async fn next(&mut self) -> bool {
        if self.made == self.policy.attempts {
            return false;
        }
        if self.made > 0 {
            tokio::time::sleep(clock::jitter(self.policy.longest_pause_before(self.made))).await;
        }
        self.made += 1;
        true
    }

    /// Whether the attempt under way is not the first one.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.made > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses = [1, 2, 3, 6, 7, 9].map(|attempt| TRANSACTION.longest_pause_before(attempt).as_millis());
        assert_eq!(pauses, [20, 40, 80, 640, 1000, 1000]);
    }

    #[tokio::test]
    async fn a_policy_allows_its_number_of_attempts_and_knows_the_first() {
        let (mut attempts, mut repeated) = (HOT_ITEM.attempts(), Vec::new());
        while attempts.next().await {
            repeated.push(attempts.is_repeated());
        }
        assert_eq!(repeated.len(), 20);
        assert_eq!(repeated.iter().filter(|is_repeated| !**is_repeated).count(), 1);
        assert!(!repeated[0]);
    }
}
