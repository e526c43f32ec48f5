//! `PUT /api/auth/password`: changes the password, which takes the old one, and ends all other sessions.

use serde::Deserialize;
use shared::Result;
use shared::auth::NewPassword;
use shared::domain::Credential;
use shared::http::{Answer, Request};

use super::guess::confirm;
use super::{Auth, Done};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    old_password: String,
    new_password: NewPassword,
}

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let (caller, kept) = auth.person(request).await?;
    let change: Change = request.json()?;
    let user = auth.user(caller.user).await?;
    confirm(auth, &user, change.old_password).await?;
    let password = change.new_password.of_user(&user.username, &user.email, "new_password")?;
    let hash = auth.passwords.hash(password).await?;
    auth.base.store.change_password(&user, kept, &hash).await?;
    let others = |credential| matches!(credential, Credential::Session(session) if session != kept);
    auth.push.close_where(caller.user, others).await?;
    Answer::ok(&Done { message: "Password changed" })
}
