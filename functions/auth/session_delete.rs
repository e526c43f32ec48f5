//! `DELETE /api/auth/sessions/{id}`: ends one session of the caller.

use shared::Result;
use shared::domain::SessionId;
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use super::{Auth, Done};

/// End a session
///
/// Ends one session of the caller, and closes its windows.
#[utoipa::path(
    delete,
    path = "/api/auth/sessions/{id}",
    operation_id = "end_session",
    tag = "accounts",
    params(("id" = SessionId, Path, description = "The session.")),
    responses((status = 200, description = "The session has ended.", body = Done)),
    security(("session" = [])),
)]
pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let (caller, _) = auth.person(request).await?;
    let absent = || Error::new(Code::NotFound, "Session not found");
    let session: SessionId = request.path("id", absent)?;
    // Looked up as it is now: the gate's own view may be some seconds old.
    let user = auth.base.store.find_user(caller.user).await?;
    user.filter(|user| user.sessions.contains(&session)).ok_or_else(absent)?;
    auth.base.store.end_session(caller.user, session).await?;
    auth.close_session(caller.user, session).await?;
    Answer::ok(&Done { message: "Session ended" })
}
