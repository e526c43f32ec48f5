//! `POST /api/auth/totp`: a secret for the caller's authenticator. It counts once a code of it was confirmed.

use serde::{Deserialize, Serialize};
use shared::Result;
use shared::auth::{new_totp_secret, totp_address};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use super::Auth;
use super::guess::confirm;

/// A request that takes the caller's password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WithPassword {
    pub(super) password: String,
}

#[derive(Serialize)]
struct Enrolled {
    secret: String,
    uri: String,
}

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let (caller, _) = auth.person(request).await?;
    let body: WithPassword = request.json()?;
    let user = auth.user(caller.user).await?;
    confirm(auth, &user, body.password).await?;
    if user.totp.is_some() {
        return Err(Error::new(Code::Conflict, "There is a second factor already"));
    }
    let secret = new_totp_secret()?;
    auth.base.store.enrol_totp(&user, &secret).await?;
    Answer::ok(&Enrolled { uri: totp_address(&user.username, &secret), secret })
}
