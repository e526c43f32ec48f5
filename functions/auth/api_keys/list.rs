//! `GET /api/auth/keys`: lists the caller's API keys, newest first, without the secrets.

use serde::Serialize;
use shared::Result;
use shared::domain::{ApiKey, KeyId, KeyName};
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use crate::auth::Auth;

/// An API key without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub(super) struct KeyAnswer {
    id: KeyId,
    name: KeyName,
    /// The last four characters of the key.
    #[schema(example = "x7Qk")]
    ending: String,
    #[schema(format = DateTime, example = "2026-11-22T10:00:00.000Z")]
    created_at: String,
    /// When the key expires; null if it does not expire.
    #[schema(required = true, format = DateTime)]
    expires_at: Option<String>,
    /// When the key was last used, accurate to a few minutes; null if it was never used.
    #[schema(required = true, format = DateTime)]
    last_used_at: Option<String>,
}

impl From<ApiKey> for KeyAnswer {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            ending: key.ending,
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            last_used_at: key.last_used_at.map(|at| at.to_string()),
        }
    }
}

/// List API keys
///
/// Lists the caller's API keys, newest first, without the secrets.
#[utoipa::path(
    get,
    path = "/api/auth/keys",
    operation_id = "list_keys",
    tag = "accounts",
    responses((status = 200, description = "The keys.", body = [KeyAnswer])),
    security(("session" = [])),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let keys = auth.app.store.list_keys(logged_in.user()).await?;
    Answer::ok(&keys.into_iter().map(KeyAnswer::from).collect::<Vec<_>>())
}
