//! `GET /api/auth/me`: the caller's own profile.

use serde::Serialize;
use shared::Result;
use shared::auth::Refusal;
use shared::domain::{Email, UserId, Username};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use super::Auth;

#[derive(Serialize)]
struct Profile<'a> {
    id: UserId,
    username: &'a Username,
    email: &'a Email,
    created_at: String,
}

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let admitted = auth.base.gate.admit(request.bearer()?).await;
    let (_, user) = admitted.map_err(|refusal| match refusal {
        // Existing clients expect this one route to tell the two apart.
        Refusal::UserGone => Error::new(Code::NotFound, "User not found"),
        other => other.into(),
    })?;
    Answer::ok(&Profile {
        id: user.id,
        username: &user.username,
        email: &user.email,
        created_at: user.created_at.to_string(),
    })
}
