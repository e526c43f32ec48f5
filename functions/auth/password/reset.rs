//! `POST /api/auth/password/reset`: sets a new password with a token that was mailed. All sessions and API keys end.

use serde::Deserialize;
use shared::Result;
use shared::auth::{AuthError, NewPassword, hash_opaque};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::Purpose;
use utoipa::ToSchema;

use crate::auth::{Auth, Done, PresentedMailToken};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    #[schema(example = "mt_…")]
    token: String,
    new_password: NewPassword,
}

/// Set a new password
///
/// With a token that was mailed. All sessions and API keys end.
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
    auth.app.visitor(request).await?;
    let reset: Reset = request.json()?;
    let PresentedMailToken { hash, token } = auth.mail_token(&reset.token, Purpose::ResetPassword).await?;
    let user = auth.app.store.find_user(token.user).await?.ok_or_else(|| Error::from(AuthError::UserGone))?;
    token.check_password(&hash_opaque(&user.password_hash))?;
    let password = reset.new_password.of_user(&user.username, &user.email, "new_password")?;
    let password_hash = auth.passwords.hash(password).await?;
    auth.app.store.reset_password(&hash, &token, &user, &password_hash).await?;
    auth.push.close_where(user.id, |_| true).await?;
    Answer::ok(&Done { message: "Password changed; please log in" })
}
