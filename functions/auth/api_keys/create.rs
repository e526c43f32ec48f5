//! `POST /api/auth/keys`: creates an API key for the caller, and shows it this once.

use serde::{Deserialize, Serialize};
use shared::Result;
use shared::auth::{API_KEY_PREFIX, hash_opaque, new_opaque};
use shared::clock;
use shared::domain::{ApiKey, KeyId, KeyName, Visible};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::NewKey;
use utoipa::ToSchema;

use super::list::KeyAnswer;
use crate::auth::Auth;

/// The longest life of a key with an end: ten years.
const MOST_DAYS: u64 = 3650;

#[derive(Deserialize, ToSchema)]
#[schema(as = NewKey)]
#[serde(deny_unknown_fields)]
struct KeyRequest {
    #[schema(value_type = KeyName)]
    name: Visible<KeyName>,
    /// Without it, the key does not expire.
    #[schema(minimum = 1, maximum = 3650, example = 90)]
    expires_in_days: Option<u64>,
    /// Required if the session began more than 15 minutes ago.
    #[schema(format = Password)]
    password: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = MadeKey)]
struct CreatedKey {
    /// The key itself, which is never shown again.
    #[schema(example = "sk-studio-…")]
    key: String,
    #[serde(flatten)]
    shown: KeyAnswer,
}

/// Create an API key
///
/// A program uses the key in place of an access token. The key is shown only in this answer. A user has at most 50
/// keys. The password is required if the session began more than 15 minutes ago.
#[utoipa::path(
    post,
    path = "/api/auth/keys",
    operation_id = "make_key",
    tag = "accounts",
    request_body = KeyRequest,
    responses((status = 200, description = "The new key.", body = CreatedKey)),
    security(("session" = [])),
    extensions(("x-codes" = json!([Code::TooManyAttempts, Code::Conflict]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let wanted: KeyRequest = request.json()?;
    if wanted.expires_in_days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)) {
        return Err(Error::invalid_field("expires_in_days", format!("must be from 1 to {MOST_DAYS}")));
    }
    // A key outlives the session, so a stolen session alone must not create one.
    auth.guard.confirm_recent_login(&logged_in, wanted.password).await?;
    let (secret, now) = (new_opaque(API_KEY_PREFIX)?, clock::now());
    let key = ApiKey {
        id: KeyId::new(clock::new_ulid()),
        name: wanted.name.into_inner(),
        ending: secret.chars().skip(secret.len() - 4).collect(),
        created_at: now,
        expires_at: wanted.expires_in_days.map(|days| now.plus_seconds(days * 86_400)),
        last_used_at: None,
    };
    let new = NewKey { hash: hash_opaque(&secret), key };
    auth.app.store.create_key(&logged_in, &new).await?;
    Answer::ok(&CreatedKey { key: secret, shown: new.key.into() })
}
