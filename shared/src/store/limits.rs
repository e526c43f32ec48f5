//! Requests are counted: an item for each requester and window.

use aws_sdk_dynamodb::types::ReturnValue;

use super::expression::{Expression, number};
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
        let expires = rate.window_ends(now).plus_seconds(60).seconds();
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let counted = Expression::default().add("requests", count).set("expires_at", number(expires));
        let key = key::requests(of, rate.window_at(now));
        let after = self.update(key, &counted, ReturnValue::UpdatedNew).await?.unwrap_or_default();
        Ok(u64::try_from(integer(&after, "requests")).unwrap_or_default())
    }
}
