//! `DELETE /api/auth/sessions/{id}`: ends one session of the caller.

use shared::Result;
use shared::domain::SessionId;
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use crate::auth::Auth;
use crate::done::Done;

/// End a session
///
/// Ends one session of the caller, and closes its connections.
#[utoipa::path(
    delete,
    path = "/api/auth/sessions/{id}",
    operation_id = "end_session",
    tag = "accounts",
    params(("id" = SessionId, Path, description = "The id of the session.")),
    responses((status = 200, description = "The session has ended.", body = Done)),
    security(("session" = [])),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let session: SessionId = request.path("id", || Error::new(Code::NotFound, "Session not found"))?;
    auth.app.store.end_own_session(&logged_in, session).await?;
    auth.close_session(logged_in.user().id, session).await?;
    Done::answer("Session ended")
}
