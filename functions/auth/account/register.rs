//! `POST /api/auth/register`: makes an account and begins its first session.

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
/// Makes an account and begins its first session. A mail goes to the address, by which the user verifies it; the account is as good without.
#[utoipa::path(
    post,
    path = "/api/auth/register",
    operation_id = "register",
    tag = "accounts",
    request_body = Registration,
    responses((status = 200, description = "The account is there, and its first session.", body = SignedIn)),
    security(),
    extensions(("x-codes" = json!([Code::UsernameTaken, Code::EmailTaken]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    auth.app.visitor(request).await?;
    let registration: Registration = request.json()?;
    let Registration { username, email, password } = registration;
    let password = password.of_user(&username, &email, "password")?;
    let password_hash = auth.passwords.hash(password).await?;
    let id = UserId::new(clock::new_ulid());
    let (session, refresh) = auth.new_session(id, request)?;
    let new = NewUser { id, username, email, created_at: clock::now(), password_hash, session };
    let user = auth.app.store.create_user(new).await?;
    auth.send_verification(user.id).await;
    auth.signed_in(&refresh, user.token_version)
}
