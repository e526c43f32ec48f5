//! `POST /api/auth/logout`: ends the session of the access token.

use shared::Result;
use shared::http::{Answer, Request};

use crate::auth::Auth;
use crate::done::Done;

/// Log out
///
/// Ends the session that the access token belongs to, and closes its connections.
#[utoipa::path(
    post,
    path = "/api/auth/logout",
    operation_id = "log_out",
    tag = "accounts",
    responses((status = 200, description = "The session has ended.", body = Done)),
    security(("session" = [])),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    auth.app.store.end_own_session(&logged_in, logged_in.session()).await?;
    auth.close_session(logged_in.user().id, logged_in.session()).await?;
    Done::answer("Logged out")
}
