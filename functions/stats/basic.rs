//! `GET /api/stats`: the totals of the caller.

use serde::Serialize;
use shared::Result;
use shared::domain::statistics::Tally;
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use super::Stats;

/// The totals of a user.
#[derive(Serialize, ToSchema)]
#[schema(as = Statistics)]
pub(super) struct Basic {
    total_conversations: i64,
    total_messages: i64,
    total_tokens: i64,
    /// Rounded to two decimals.
    #[schema(example = 4.5)]
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

/// `total / count`, rounded to two decimals; 0 if `count` is 0.
pub(super) fn average(total: i64, count: i64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    (total as f64 / count as f64 * 100.0).round() / 100.0
}

/// Read statistics
///
/// Returns the numbers of the caller's conversations, messages and tokens.
#[utoipa::path(
    get,
    path = "/api/stats",
    operation_id = "read_statistics",
    tag = "statistics",
    responses((status = 200, description = "The statistics.", body = Basic)),
)]
pub(super) async fn handle(stats: &Stats, request: &Request) -> Result<Answer> {
    let caller = stats.app.caller(request).await?;
    let totals = stats.app.store.get_user_totals(caller.user).await?;
    Answer::ok(&Basic::from(&totals))
}
