//! `POST /api/auth/register`: creates an account and its first session.

use serde::Deserialize;
use shared::Result;
use shared::auth::NewPassword;
use shared::clock;
use shared::domain::{Email, UserId, Username};
use shared::error::Code;
use shared::http::{Answer, Request};
use shared::store::NewUser;
use utoipa::ToSchema;

use crate::auth::{Auth, SignedIn};

#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"username": "alice", "email": "alice@example.com", "password": "a long enough passphrase"}))]
struct Registration {
    username: Username,
    email: Email,
    password: NewPassword,
}

/// Register
///
/// Creates an account and its first session. The address receives a mail to verify it. The account works without
/// verification.
#[utoipa::path(
    post,
    path = "/api/auth/register",
    operation_id = "register",
    tag = "accounts",
    request_body = Registration,
    responses((status = 200, description = "The tokens of the first session.", body = SignedIn)),
    security(),
    extensions(("x-codes" = json!([Code::UsernameTaken, Code::EmailTaken]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    auth.app.count_anonymous(request).await?;
    let Registration { username, email, password } = request.json()?;
    let password = password.of_user(&username, &email, "password")?;
    let password_hash = auth.passwords.hash(password).await?;
    let id = UserId::new(clock::new_ulid());
    let (session, refresh) = auth.new_session(id, request)?;
    let new = NewUser { id, username, email, created_at: clock::now(), password_hash, session };
    let user = auth.app.store.create_user(new).await?;
    auth.send_verification(user.id).await;
    auth.signed_in(&refresh, user.token_version)
}
