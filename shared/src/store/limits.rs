//! Requests are counted: an item for each requester and window.

use aws_sdk_dynamodb::types::ReturnValue;

use super::expression::{Expression, number};
use super::query::Item;
use super::statistics::integer;
use super::{Store, key};
use crate::domain::{Allowance, Millis, Rate, Requester};
use crate::error::Result;

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
    pub async fn count_guess(&self, of: &Requester, rate: Rate, now: Millis) -> Result<(Allowance, u64)> {
        let counted = Expression::default().add("requests", 1).add("guesses", 1);
        let after = self.count_in_window(of, rate, now, counted).await?;
        Ok((rate.after(whole(&after, "requests"), now), whole(&after, "guesses").saturating_sub(1)))
    }

    /// A guess that was counted at `counted_at` has been judged, or refused.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn settle_guess(&self, of: &Requester, rate: Rate, counted_at: Millis) -> Result<()> {
        let settled = Expression::default().add("guesses", -1).when_greater("guesses", number(0));
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

fn whole(item: &Item, name: &str) -> u64 {
    u64::try_from(integer(item, name)).unwrap_or_default()
}
