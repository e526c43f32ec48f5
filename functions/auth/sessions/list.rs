//! `GET /api/auth/sessions`: lists the caller's sessions, newest first.

use serde::Serialize;
use shared::Result;
use shared::clock;
use shared::domain::SessionId;
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use crate::auth::Auth;

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct SessionAnswer {
    id: SessionId,
    #[schema(format = DateTime, example = "2026-11-22T10:00:00.000Z")]
    created_at: String,
    #[schema(format = DateTime, example = "2026-11-22T10:00:00.000Z")]
    last_used_at: String,
    /// The IP address that the user logged in from.
    #[schema(example = "203.0.113.7")]
    address: String,
    /// The `User-Agent` that the client sent at login.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64)")]
    user_agent: String,
    /// Whether the access token of this request belongs to this session.
    current: bool,
}

/// List sessions
///
/// Lists the caller's sessions that have not ended, newest first.
#[utoipa::path(
    get,
    path = "/api/auth/sessions",
    operation_id = "list_sessions",
    tag = "accounts",
    responses((status = 200, description = "The sessions.", body = [SessionAnswer])),
    security(("session" = [])),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let sessions = auth.app.store.list_sessions(logged_in.user(), clock::now()).await?;
    let sessions = sessions.into_iter().map(|session| SessionAnswer {
        id: session.id,
        created_at: session.created_at.to_string(),
        last_used_at: session.last_used_at.to_string(),
        address: session.address,
        user_agent: session.user_agent,
        current: session.id == logged_in.session(),
    });
    Answer::ok(&sessions.collect::<Vec<_>>())
}
