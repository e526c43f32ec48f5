//! `GET /api/auth/sessions`: the caller's live sessions, the last begun first.

use serde::Serialize;
use shared::Result;
use shared::clock;
use shared::domain::SessionId;
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use super::Auth;

#[derive(Serialize)]
struct SessionAnswer {
    id: SessionId,
    created_at: String,
    last_used_at: String,
    address: String,
    user_agent: String,
    /// Whether it is the one of the token.
    current: bool,
}

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let (caller, current) = auth.person(request).await?;
    let gone = || Error::new(Code::Unauthenticated, "Could not validate credentials");
    let user = auth.base.store.find_user(caller.user).await?.ok_or_else(gone)?;
    let sessions = auth.base.store.list_sessions(&user, clock::now()).await?;
    let sessions = sessions.into_iter().map(|session| SessionAnswer {
        id: session.id,
        created_at: session.created_at.to_string(),
        last_used_at: session.last_used_at.to_string(),
        address: session.address,
        user_agent: session.user_agent,
        current: session.id == current,
    });
    Answer::ok(&sessions.collect::<Vec<_>>())
}
