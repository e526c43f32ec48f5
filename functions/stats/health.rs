//! `GET /health`: reports that the studio works, with its totals.

use serde::Serialize;
use shared::Result;
use shared::clock;
use shared::domain::Millis;
use shared::error::Code;
use shared::http::Answer;
use shared::store::Totals;
use utoipa::ToSchema;

use super::Stats;

/// How old the totals may be.
const TRUSTED_MILLIS: u64 = 10_000;

/// The health of the studio.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `healthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    #[schema(format = DateTime, example = "2026-11-22T10:00:00.000Z")]
    timestamp: String,
    /// The number of open WebSockets.
    active_connections: u64,
    total_users: u64,
    total_conversations: u64,
}

/// Read the health
///
/// Reports that the studio works, and how large it is. The totals may be up to ten seconds old.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "read_health",
    tag = "studio",
    responses((status = 200, description = "The studio works.", body = Health)),
    security(),
    extensions(("x-codes" = json!([Code::Unavailable, Code::Internal]))),
)]
pub(super) async fn handle(stats: &Stats) -> Result<Answer> {
    let now = clock::now();
    let totals = read_totals(stats, now).await?;
    Answer::ok(&Health {
        status: "healthy",
        timestamp: now.to_string(),
        active_connections: totals.connections,
        total_users: totals.users,
        total_conversations: totals.conversations,
    })
}

async fn read_totals(stats: &Stats, now: Millis) -> Result<Totals> {
    if let Some(totals) = stats.totals.get(&(), now, TRUSTED_MILLIS) {
        return Ok(totals);
    }
    let totals = stats.app.store.get_totals(now).await?;
    stats.totals.insert((), totals, now);
    Ok(totals)
}
