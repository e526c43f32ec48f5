//! `DELETE /api/auth/totp`: takes the caller's second factor away.

use shared::Result;
use shared::error::Code;
use shared::http::{Answer, Request};

use super::enrol::WithPassword;
use crate::auth::guess::confirm;
use crate::auth::{Auth, Done};

/// Take the second factor away
///
/// With the recovery codes.
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
    let user = logged_in.user();
    confirm(auth, user, body.password).await?;
    auth.app.store.delete_totp(&logged_in).await?;
    Answer::ok(&Done { message: "The second factor is off" })
}
