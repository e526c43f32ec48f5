//! `POST /api/auth/refresh`: takes a refresh token and gives its successor with a new access token. A token that was
//! used before ends its session, since two have it.

use serde::Deserialize;
use shared::Result;
use shared::auth::RefreshToken;
use shared::clock;
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::Rotation;

use super::Auth;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refresh {
    refresh_token: String,
}

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    auth.base.visitor(request).await?;
    let refresh: Refresh = request.json()?;
    let key = &auth.base.refresh_key;
    let presented = RefreshToken::parse(&refresh.refresh_token, key).ok_or_else(refused)?;
    let (user, session) = (presented.user(), presented.session());
    let successor = presented.successor(key);
    let (presented, next) = (presented.hash(), successor.hash());
    let store = &auth.base.store;
    let rotation = store.rotate_refresh_token(user, session, &presented, &next, clock::now());
    match rotation.await? {
        Rotation::Rotated | Rotation::Repeated => {}
        Rotation::Ended => return Err(refused()),
        Rotation::Reused => {
            tracing::warn!(%user, %session, "a refresh token was used twice; its session ends");
            store.end_session(user, session).await?;
            auth.push.close_where(user, |ended| ended == session).await?;
            return Err(refused());
        }
    }
    let user =
        store.find_user(user).await?.filter(|user| user.sessions.contains(&session)).ok_or_else(refused)?;
    auth.signed_in(&successor, user.token_version)
}

fn refused() -> Error {
    Error::new(Code::Unauthenticated, "The refresh token is not valid; please log in again")
}
