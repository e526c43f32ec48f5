//! The totals for `/health`: sharded counters in one partition, read with one Query.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::domain::Millis;
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::dynamo::{Expression, Write, failed, integer, number, random_below, sort_key, text};
use crate::store::{Store, key};

/// API Gateway closes every connection after two hours.
const LONGEST_CONNECTION_SECONDS: u64 = 2 * 3600;

/// The totals of the whole studio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Registered users.
    pub users: u64,
    /// Conversations of all users.
    pub conversations: u64,
    /// Open and authenticated WebSocket connections. A connection whose disconnect event was lost counts for two hours.
    pub connections: u64,
}

impl Store {
    /// The write that changes the number of conversations in the totals.
    pub(in crate::store) fn count_conversations(&self, change: i64) -> Write {
        let shard = random_below(key::SHARDS);
        Write::update(&self.studio, key::totals(shard), Expression::default().add("conversations", change))
    }

    /// The write that changes the number of connections opened at `opened_at`.
    pub(in crate::store) fn count_connection(&self, opened_at: Millis, change: i64) -> Write {
        let expires_at = opened_at.plus_seconds(2 * LONGEST_CONNECTION_SECONDS).seconds();
        let expression =
            Expression::default().add("connections", change).set("expires_at", number(expires_at));
        Write::update(&self.studio, key::open_connections(opened_at, random_below(key::SHARDS)), expression)
    }

    /// Reads the totals at `now` with one request.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn get_totals(&self, now: Millis) -> Result<Totals> {
        let since = key::open_connections_since(now.minus_seconds(LONGEST_CONNECTION_SECONDS));
        let pages = self
            .client
            .query()
            .table_name(&self.studio)
            .key_condition_expression("pk = :pk AND sk >= :since")
            .expression_attribute_values(":pk", text(key::TOTALS))
            .expression_attribute_values(":since", text(since))
            .into_paginator()
            .items()
            .send();
        let items = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(failed)?;
        Ok(sum(&items))
    }
}

fn sum(items: &[HashMap<String, AttributeValue>]) -> Totals {
    let total = |prefix: &str, name: &str| {
        let counted = items.iter().filter(|item| sort_key(item).starts_with(prefix));
        let sum: i64 = counted.map(|item| integer(item, name)).sum();
        u64::try_from(sum).unwrap_or_default()
    };
    Totals {
        users: total("SHARD#", "users"),
        conversations: total("SHARD#", "conversations"),
        connections: total("OPEN#", "connections"),
    }
}
