//! `POST /api/auth/logout`: ends the session of the token.

use shared::Result;
use shared::http::{Answer, Request};

use super::{Auth, Done};

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let caller = auth.base.caller(request).await?;
    auth.base.store.end_session(caller.user, caller.session).await?;
    auth.push.close_where(caller.user, |session| session == caller.session).await?;
    Answer::ok(&Done { message: "Logged out" })
}
