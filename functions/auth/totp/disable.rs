//! `DELETE /api/auth/totp`: turns the caller's second factor off.

use shared::Result;
use shared::error::Code;
use shared::http::{Answer, Request};

use super::enrol::WithPassword;
use crate::auth::Auth;
use crate::done::Done;

/// Turn the second factor off
///
/// Also deletes the recovery codes.
#[utoipa::path(
    delete,
    path = "/api/auth/totp",
    operation_id = "disable_totp",
    tag = "accounts",
    request_body = WithPassword,
    responses((status = 200, description = "The second factor is off.", body = Done)),
    security(("session" = [])),
    extensions(("x-codes" = json!([Code::TooManyAttempts, Code::Conflict]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let body: WithPassword = request.json()?;
    auth.guard.confirm_password(logged_in.user(), body.password).await?;
    auth.app.store.delete_totp(&logged_in).await?;
    Done::answer("The second factor is off")
}
