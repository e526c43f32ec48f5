//! `GET /health`: that the studio works, and how large it is. The totals may be ten seconds old.

use std::sync::PoisonError;

use serde::Serialize;
use shared::Result;
use shared::clock;
use shared::domain::Millis;
use shared::error::Code;
use shared::http::Answer;
use shared::store::Totals;
use utoipa::ToSchema;

use super::Stats;

const TRUSTED_MILLIS: u64 = 10_000;

/// The totals as they were at some time.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    at: Millis,
    totals: Totals,
}

/// How the studio is.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `healthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    #[schema(format = DateTime, example = "2026-11-22T10:00:00.000Z")]
    timestamp: String,
    /// Open WebSockets.
    active_connections: u64,
    total_users: u64,
    total_conversations: u64,
}

/// Read the health
///
/// That the studio works, and how large it is. The totals may be ten seconds old.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "read_health",
    tag = "studio",
    responses((status = 200, description = "It works.", body = Health)),
    security(),
    extensions(("x-codes" = json!([Code::Unavailable, Code::Internal]))),
)]
pub(super) async fn handle(stats: &Stats) -> Result<Answer> {
    let now = clock::now();
    let totals = match recent(stats, now) {
        Some(totals) => totals,
        None => read(stats, now).await?,
    };
    Answer::ok(&Health {
        status: "healthy",
        timestamp: now.to_string(),
        active_connections: totals.connections,
        total_users: totals.users,
        total_conversations: totals.conversations,
    })
}

fn recent(stats: &Stats, now: Millis) -> Option<Totals> {
    let seen = (*stats.totals.lock().unwrap_or_else(PoisonError::into_inner))?;
    // A clock that was set back must not make them last.
    let fresh = now >= seen.at && now.get() - seen.at.get() < TRUSTED_MILLIS;
    fresh.then_some(seen.totals)
}

async fn read(stats: &Stats, now: Millis) -> Result<Totals> {
    let totals = stats.app.store.totals(now).await?;
    *stats.totals.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen { at: now, totals });
    Ok(totals)
}
