//! `POST /api/auth/logout-all`: ends all sessions of the caller.

use shared::Result;
use shared::domain::Credential;
use shared::http::{Answer, Request};

use crate::auth::Auth;
use crate::done::Done;

/// Log out everywhere
///
/// Ends all sessions of the caller, including the current one. API keys keep working.
#[utoipa::path(
    post,
    path = "/api/auth/logout-all",
    operation_id = "log_out_everywhere",
    tag = "accounts",
    responses((status = 200, description = "All sessions have ended.", body = Done)),
    security(("session" = [])),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    auth.app.store.end_all_sessions(&logged_in).await?;
    let of_session = |credential| matches!(credential, Credential::Session(_));
    auth.connections.close_where(logged_in.user().id, of_session).await?;
    Done::answer("Logged out everywhere")
}
