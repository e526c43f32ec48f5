//! `DELETE /api/auth/me`: deletes the caller's account at once, and its data within minutes.

use shared::Result;
use shared::accounts::AccountTask;
use shared::error::Code;
use shared::http::{Answer, Request};

use crate::auth::Auth;
use crate::auth::totp::enrol::WithPassword;
use crate::done::Done;

/// Delete the account
///
/// The account is deleted at once: its tokens and API keys stop working and its connections close. Its conversations
/// and all other data are deleted within minutes.
#[utoipa::path(
    delete,
    path = "/api/auth/me",
    operation_id = "delete_account",
    tag = "accounts",
    request_body = WithPassword,
    responses((status = 200, description = "The account is deleted.", body = Done)),
    security(("session" = [])),
    extensions(("x-codes" = json!([Code::TooManyAttempts, Code::Conflict]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let body: WithPassword = request.json()?;
    let user = logged_in.user();
    auth.guard.confirm_password(user, body.password).await?;
    // Before the account is marked as deleted, so that its data is always cleaned up. The task waits for the mark.
    auth.invoker.invoke(&AccountTask::DeleteAccount { user: user.id }).await?;
    auth.app.store.begin_account_deletion(&logged_in).await?;
    auth.connections.close_where(user.id, |_| true).await?;
    Done::answer("The account is deleted")
}
