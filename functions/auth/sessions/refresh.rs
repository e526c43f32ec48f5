//! `POST /api/auth/refresh`: exchanges a refresh token for its successor and a new access token. A token that was used
//! before ends its session, because two clients have it.

use serde::Deserialize;
use shared::Result;
use shared::auth::{RefreshToken, SigningKeys};
use shared::clock;
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::Rotation;
use utoipa::ToSchema;

use crate::auth::{Auth, SignedIn};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    #[schema(example = "rt_…")]
    refresh_token: String,
}

/// Refresh the session
///
/// Exchanges a refresh token for a new access token and a new refresh token. A refresh token sent again within 10 s
/// gets the same new refresh token. Sent again later, it ends its session, because it may have been stolen.
#[utoipa::path(
    post,
    path = "/api/auth/refresh",
    operation_id = "refresh",
    tag = "accounts",
    request_body = Refresh,
    responses((status = 200, description = "The new tokens.", body = SignedIn)),
    security(),
    extensions(("x-codes" = json!([Code::Unauthenticated]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    auth.app.count_anonymous(request).await?;
    let refresh: Refresh = request.json()?;
    let key_id = RefreshToken::key_id(&refresh.refresh_token).ok_or_else(refused)?;
    let keys = auth.app.keyring.keys_with(key_id).await;
    let presented = RefreshToken::parse(&refresh.refresh_token, &keys).ok_or_else(refused)?;
    let successor = rotate(auth, &presented, &keys).await?;
    let (user, session) = (presented.user(), presented.session());
    let store = &auth.app.store;
    let user =
        store.find_user(user).await?.filter(|user| user.sessions.contains(&session)).ok_or_else(refused)?;
    auth.signed_in(&successor, user.token_version)
}

/// Replaces `presented` by its successor. A token that was used before ends its session.
async fn rotate(auth: &Auth, presented: &RefreshToken, keys: &SigningKeys) -> Result<RefreshToken> {
    let (store, user, session) = (&auth.app.store, presented.user(), presented.session());
    let successor = presented.successor(&keys.current);
    let (hash, next) = (presented.hash(), successor.hash());
    match store.rotate_refresh_token(user, session, &hash, &next, clock::now()).await? {
        Rotation::Rotated => Ok(successor),
        // Another instance may have computed the successor a moment ago with the previous signing key.
        Rotation::Repeated(stored) => {
            let mut candidates = keys.all().map(|key| presented.successor(key));
            candidates.find(|candidate| candidate.hash() == stored).ok_or_else(refused)
        }
        Rotation::Ended => Err(refused()),
        Rotation::Reused => {
            tracing::warn!(%user, %session, "a refresh token was used twice; ending its session");
            store.end_session(user, session).await?;
            auth.close_session(user, session).await?;
            Err(refused())
        }
    }
}

fn refused() -> Error {
    Error::new(Code::Unauthenticated, "The refresh token is not valid; please log in again")
}
