//! Counters of requests: one item for each requester and window.

use aws_sdk_dynamodb::types::ReturnValue;
use ulid::Ulid;

use crate::domain::{Allowance, Millis, Rate, Requester};
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::dynamo::{Expression, Item, ids, integer, number, text};
use crate::store::{Store, key};

/// The attribute with the ids of guesses that have not been verified yet: a string set.
const GUESSES: &str = "guesses";
/// How long a guess can take to be verified: API Gateway waits no longer for an answer.
pub const LONGEST_GUESS_SECONDS: u64 = 30;

impl Store {
    /// Counts a request made at `now` and returns what is left. Concurrent requests cannot exceed the rate.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn count_request(&self, requester: &Requester, rate: Rate, now: Millis) -> Result<Allowance> {
        Ok(rate.after(self.count_requests(requester, 1, rate, now).await?, now))
    }

    /// Counts `count` requests at `now` and returns how many requests the window has had.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn count_requests(
        &self,
        requester: &Requester,
        count: u64,
        rate: Rate,
        now: Millis,
    ) -> Result<u64> {
        let counted = Expression::default().add("requests", i64::try_from(count).unwrap_or(i64::MAX));
        Ok(unsigned(&self.count_in_window(requester, rate, now, counted).await?, "requests"))
    }

    /// Counts a request at `now` that guesses a password. Returns what is left of the requests, and how many other
    /// guesses of the window are still being verified. Of several concurrent guesses, exactly one gets 0.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn count_guess(
        &self,
        requester: &Requester,
        guess: Ulid,
        rate: Rate,
        now: Millis,
    ) -> Result<(Allowance, u64)> {
        // The guesses are a set, so repeating the update after a lost answer does not count the guess twice.
        let counted = Expression::default().add("requests", 1).add_to_set(GUESSES, ids([guess.to_string()]));
        let after = self.count_in_window(requester, rate, now, counted).await?;
        let others = guesses_under_way(&after, now).saturating_sub(1);
        Ok((rate.after(unsigned(&after, "requests"), now), others))
    }

    /// Records that a guess that was counted at `counted_at` has been verified or refused.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn settle_guess(
        &self,
        requester: &Requester,
        guess: Ulid,
        rate: Rate,
        counted_at: Millis,
    ) -> Result<()> {
        let settled = Expression::default()
            .delete_from_set(GUESSES, ids([guess.to_string()]))
            .when_contains(GUESSES, text(guess.to_string()));
        self.update(key::requests(requester, rate.window_at(counted_at)), &settled, ReturnValue::None)
            .await?;
        Ok(())
    }

    async fn count_in_window(
        &self,
        requester: &Requester,
        rate: Rate,
        now: Millis,
        counted: Expression,
    ) -> Result<Item> {
        let expires = rate.window_ends(now).plus_seconds(60).seconds();
        let counted = counted.set("expires_at", number(expires));
        let key = key::requests(requester, rate.window_at(now));
        Ok(self.update(key, &counted, ReturnValue::UpdatedNew).await?.unwrap_or_default())
    }
}

/// How many guesses in the counter `item` are still being verified at `now`. A guess whose function died before it was
/// settled stops counting after [`LONGEST_GUESS_SECONDS`].
pub(in crate::store) fn guesses_under_way(item: &Item, now: Millis) -> u64 {
    let guesses = item.get(GUESSES).and_then(|guesses| guesses.as_ss().ok()).into_iter().flatten();
    let under_way = guesses.filter(|guess| {
        let created_at = guess.parse::<Ulid>().map(|guess| Millis::saturating(guess.timestamp_ms()));
        created_at.is_ok_and(|created_at| created_at.plus_seconds(LONGEST_GUESS_SECONDS) > now)
    });
    under_way.count() as u64
}

fn unsigned(item: &Item, name: &str) -> u64 {
    u64::try_from(integer(item, name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsettled_guess_counts_for_half_a_minute() {
        let now = Millis::saturating(1_000_000);
        let guess = |ago: u64| Ulid::from_parts(now.get() - ago, 7).to_string();
        let item =
            Item::from([(GUESSES.to_owned(), ids([guess(0), guess(29_999), guess(30_000), guess(900_000)]))]);
        assert_eq!(guesses_under_way(&item, now), 2);
        assert_eq!(guesses_under_way(&Item::new(), now), 0);
    }
}
