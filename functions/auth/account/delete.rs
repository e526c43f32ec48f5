//! `DELETE /api/auth/me`: deletes the caller's account. It is gone at once; all it owns follows.

use shared::Result;
use shared::accounts::AccountTask;
use shared::error::Code;
use shared::http::{Answer, Request};

use crate::auth::guess::confirm;
use crate::auth::totp::enrol::WithPassword;
use crate::auth::{Auth, Done};

/// Delete the account
///
/// It is gone at once; all it owns follows within minutes.
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
    confirm(auth, user, body.password).await?;
    // First of all, so that the account cannot be nobody's with nobody to clear it away. The task waits for it.
    auth.invoker.invoke(&AccountTask::DeleteAccount { user: user.id }).await?;
    auth.app.store.begin_account_deletion(&logged_in).await?;
    auth.push.close_where(user.id, |_| true).await?;
    Answer::ok(&Done { message: "The account is deleted" })
}
