//! Requests are counted: an item for each requester and window.

use aws_sdk_dynamodb::types::ReturnValue;
use ulid::Ulid;

use crate::domain::{Allowance, Millis, Rate, Requester};
use crate::error::Result;
use crate::store::dynamo::{Expression, Item, ids, integer, number, text};
use crate::store::{Store, key};

/// The guesses of a window that nobody has judged yet.
const GUESSES: &str = "guesses";
/// API Gateway waits no longer for an answer.
pub const LONGEST_GUESS_SECONDS: u64 = 30;

impl Store {
    /// Counts a request made at `now`, and says what is left. Of many at once, no more pass than the rate allows.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn count_request(&self, of: &Requester, rate: Rate, now: Millis) -> Result<Allowance> {
        Ok(rate.after(self.count_requests(of, 1, rate, now).await?, now))
    }

    /// Counts so many requests made up to `now`, and says how many its window has had.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn count_requests(&self, of: &Requester, count: u64, rate: Rate, now: Millis) -> Result<u64> {
        let counted = Expression::default().add("requests", i64::try_from(count).unwrap_or(i64::MAX));
        Ok(whole(&self.count_in_window(of, rate, now, counted).await?, "requests"))
    }

    /// Counts a request made at `now` that is a guess at a password, and says what is left of the requests, and how many
    /// other guesses of its window nobody has judged yet: of many at once, one has no others before it.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn count_guess(
        &self,
        of: &Requester,
        guess: Ulid,
        rate: Rate,
        now: Millis,
    ) -> Result<(Allowance, u64)> {
        // A set, so that to send it again, when an answer was lost, changes nothing.
        let counted = Expression::default().add("requests", 1).add_to_set(GUESSES, ids([guess.to_string()]));
        let after = self.count_in_window(of, rate, now, counted).await?;
        let others = guesses_under_way(&after, now).saturating_sub(1);
        Ok((rate.after(whole(&after, "requests"), now), others))
    }

    /// A guess that was counted at `counted_at` has been judged, or refused.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn settle_guess(
        &self,
        of: &Requester,
        guess: Ulid,
        rate: Rate,
        counted_at: Millis,
    ) -> Result<()> {
        let settled = Expression::default()
            .delete_from_set(GUESSES, ids([guess.to_string()]))
            .when_contains(GUESSES, text(guess.to_string()));
        self.update(key::requests(of, rate.window_at(counted_at)), &settled, ReturnValue::None).await?;
        Ok(())
    }

    async fn count_in_window(
        &self,
        of: &Requester,
        rate: Rate,
        now: Millis,
        counted: Expression,
    ) -> Result<Item> {
        let expires = rate.window_ends(now).plus_seconds(60).seconds();
        let counted = counted.set("expires_at", number(expires));
        let key = key::requests(of, rate.window_at(now));
        Ok(self.update(key, &counted, ReturnValue::UpdatedNew).await?.unwrap_or_default())
    }
}

/// How many guesses of the window that is counted by `item` are under way at `now`. One that was not settled, because its
/// function died, is none for longer than a request can take.
pub(in crate::store) fn guesses_under_way(item: &Item, now: Millis) -> u64 {
    let guesses = item.get(GUESSES).and_then(|guesses| guesses.as_ss().ok()).into_iter().flatten();
    let under_way = guesses.filter(|guess| {
        let made_at = guess.parse::<Ulid>().map(|guess| Millis::saturating(guess.timestamp_ms()));
        made_at.is_ok_and(|made_at| made_at.plus_seconds(LONGEST_GUESS_SECONDS) > now)
    });
    under_way.count() as u64
}

fn whole(item: &Item, name: &str) -> u64 {
    u64::try_from(integer(item, name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_that_nobody_settled_is_under_way_for_half_a_minute() {
        let now = Millis::saturating(1_000_000);
        let made = |ago: u64| Ulid::from_parts(now.get() - ago, 7).to_string();
        let item =
            Item::from([(GUESSES.to_owned(), ids([made(0), made(29_999), made(30_000), made(900_000)]))]);
        assert_eq!(guesses_under_way(&item, now), 2);
        assert_eq!(guesses_under_way(&Item::new(), now), 0);
    }
}
