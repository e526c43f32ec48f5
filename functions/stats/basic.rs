//! `GET /api/stats`: how much the caller has.

use serde::Serialize;
use shared::Result;
use shared::domain::statistics::Tally;
use shared::http::{Answer, Request};

use super::Stats;

/// The four figures of `/api/stats`.
#[derive(Serialize)]
pub(super) struct Basic {
    total_conversations: i64,
    total_messages: i64,
    total_tokens: i64,
    average_messages_per_conversation: f64,
}

impl From<&Tally> for Basic {
    fn from(totals: &Tally) -> Self {
        Self {
            total_conversations: totals.conversations,
            total_messages: totals.messages,
            total_tokens: totals.tokens,
            average_messages_per_conversation: average(totals.messages, totals.conversations),
        }
    }
}

/// `total / count` with two decimals; 0 of nothing.
pub(super) fn average(total: i64, count: i64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    (total as f64 / count as f64 * 100.0).round() / 100.0
}

pub(super) async fn handle(stats: &Stats, request: &Request) -> Result<Answer> {
    let caller = stats.base.caller(request).await?;
    let totals = stats.base.store.totals_of_user(caller.user).await?;
    Answer::ok(&Basic::from(&totals))
}
