//! `POST /api/auth/login`: begins a session. An unknown user and a wrong password take the same work and get the
//! same answer.

use serde::Deserialize;
use shared::Result;
use shared::auth::Password;
use shared::domain::Username;
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use super::Auth;

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let credentials: Credentials = request.json()?;
    let wrong = || Error::new(Code::WrongCredentials, "Incorrect username or password");
    // Text that can be nobody's name or password is simply wrong: saying more would tell the rules to guessers
    // and nothing to users. It is too long or too short to have been registered, so there is nothing to time.
    let username = Username::try_from(credentials.username).map_err(|_rule| wrong())?;
    let password = Password::try_from(credentials.password).map_err(|_rule| wrong())?;
    let user = auth.base.store.find_user_by_name(&username).await?;
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let matches = auth.passwords.verify(password, stored).await?;
    let user = user.filter(|_| matches).ok_or_else(wrong)?;
    let (session, refresh) = auth.new_session(user.id, request)?;
    auth.base.store.create_session(&user, &session).await?;
    auth.signed_in(&refresh, user.token_version)
}
