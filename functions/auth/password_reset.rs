//! `POST /api/auth/password/reset`: sets a new password with a token that was mailed. All sessions and API keys end.

use serde::Deserialize;
use shared::Result;
use shared::auth::{NewPassword, hash_opaque};
use shared::clock;
use shared::http::{Answer, Request};
use shared::store::Purpose;

use super::{Auth, Done};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    token: String,
    new_password: NewPassword,
}

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    auth.base.visitor(request).await?;
    let reset: Reset = request.json()?;
    let hash = hash_opaque(&reset.token);
    let token = auth.base.store.get_mail_token(&hash, Purpose::ResetPassword, clock::now()).await?;
    let user = auth.user(token.user).await?;
    token.check_password(&hash_opaque(&user.password_hash))?;
    let password = reset.new_password.of_user(&user.username, &user.email, "new_password")?;
    let password_hash = auth.passwords.hash(password).await?;
    auth.base.store.reset_password(&hash, &token, &user, &password_hash).await?;
    auth.push.close_where(user.id, |_| true).await?;
    Answer::ok(&Done { message: "Password changed; please log in" })
}
