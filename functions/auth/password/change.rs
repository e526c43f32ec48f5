//! `PUT /api/auth/password`: changes the password and ends all other sessions.

use serde::Deserialize;
use shared::Result;
use shared::auth::NewPassword;
use shared::domain::Credential;
use shared::error::Code;
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use crate::auth::Auth;
use crate::done::Done;

#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordChange, example = json!({"old_password": "a long enough passphrase", "new_password": "another long passphrase"}))]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    #[schema(format = Password, example = "a long enough passphrase")]
    old_password: String,
    new_password: NewPassword,
}

/// Change the password
///
/// Requires the old password. All other sessions of the user end; API keys keep working.
#[utoipa::path(
    put,
    path = "/api/auth/password",
    operation_id = "change_password",
    tag = "accounts",
    request_body = PasswordChange,
    responses((status = 200, description = "The password is changed.", body = Done)),
    security(("session" = [])),
    extensions(("x-codes" = json!([Code::TooManyAttempts, Code::Conflict]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let change: PasswordChange = request.json()?;
    let (user, kept) = (logged_in.user(), logged_in.session());
    auth.guard.confirm_password(user, change.old_password).await?;
    let password = change.new_password.of_user(&user.username, &user.email, "new_password")?;
    let hash = auth.passwords.hash(password).await?;
    auth.app.store.change_password(&logged_in, &hash).await?;
    let others = |credential| matches!(credential, Credential::Session(session) if session != kept);
    auth.connections.close_where(user.id, others).await?;
    Done::answer("Password changed")
}
