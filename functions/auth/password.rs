//! `PUT /api/auth/password`: changes the password, which takes the old one, and ends all other sessions.

use serde::Deserialize;
use shared::Result;
use shared::auth::Password;
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use super::{Auth, Done};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    old_password: String,
    new_password: Password,
}

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let caller = auth.base.caller(request).await?;
    let change: Change = request.json()?;
    let wrong = || Error::new(Code::Forbidden, "The old password is wrong");
    let user = auth.base.store.find_user(caller.user).await?.ok_or_else(wrong)?;
    // What can be nobody's password is simply wrong.
    let old = Password::try_from(change.old_password).map_err(|_rule| wrong())?;
    if !auth.passwords.verify(old, Some(user.password_hash.clone())).await? {
        return Err(wrong());
    }
    let hash = auth.passwords.hash(change.new_password).await?;
    auth.base.store.change_password(&user, caller.session, &hash).await?;
    auth.push.close_where(caller.user, |session| session != caller.session).await?;
    Answer::ok(&Done { message: "Password changed" })
}
