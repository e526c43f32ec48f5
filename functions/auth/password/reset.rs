//! `POST /api/auth/password/reset`: sets a new password with the token from a mail, and ends all sessions and API keys.

use serde::Deserialize;
use shared::Result;
use shared::auth::{AuthError, NewPassword, hash_opaque};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::Purpose;
use utoipa::ToSchema;

use crate::auth::{Auth, PresentedMailToken};
use crate::done::Done;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// The token from the mail.
    #[schema(example = "mt_…")]
    token: String,
    new_password: NewPassword,
}

/// Reset the password
///
/// Sets a new password with the token from a mail. All sessions and API keys of the user end.
#[utoipa::path(
    post,
    path = "/api/auth/password/reset",
    operation_id = "reset_password",
    tag = "accounts",
    request_body = Reset,
    responses((status = 200, description = "The password is changed.", body = Done)),
    security(),
    extensions(("x-codes" = json!([Code::Unauthenticated]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    auth.app.count_anonymous(request).await?;
    let reset: Reset = request.json()?;
    let PresentedMailToken { hash, token } = auth.mail_token(&reset.token, Purpose::ResetPassword).await?;
    let user = auth.app.store.find_user(token.user).await?.ok_or_else(|| Error::from(AuthError::UserGone))?;
    token.check_password(&hash_opaque(&user.password_hash))?;
    let password = reset.new_password.of_user(&user.username, &user.email, "new_password")?;
    let password_hash = auth.passwords.hash(password).await?;
    auth.app.store.reset_password(&hash, &token, &user, &password_hash).await?;
    auth.connections.close_where(user.id, |_| true).await?;
    Done::answer("Password changed; please log in")
}
