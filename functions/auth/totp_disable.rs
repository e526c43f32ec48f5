//! `DELETE /api/auth/totp`: takes the caller's second factor away.

use shared::Result;
use shared::http::{Answer, Request};

use super::guess::confirm;
use super::totp_enrol::WithPassword;
use super::{Auth, Done};

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let (caller, _) = auth.person(request).await?;
    let body: WithPassword = request.json()?;
    let user = auth.user(caller.user).await?;
    confirm(auth, &user, body.password).await?;
    auth.base.store.delete_totp(&user).await?;
    Answer::ok(&Done { message: "The second factor is off" })
}
