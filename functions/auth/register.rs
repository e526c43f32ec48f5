//! `POST /api/auth/register`: makes an account and begins its first session.

use serde::Deserialize;
use shared::Result;
use shared::auth::NewPassword;
use shared::clock;
use shared::domain::{Email, UserId, Username};
use shared::http::{Answer, Request};
use shared::store::NewUser;

use super::Auth;

#[derive(Deserialize)]
struct Registration {
    username: Username,
    email: Email,
    password: NewPassword,
}

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    auth.base.visitor(request).await?;
    let registration: Registration = request.json()?;
    let Registration { username, email, password } = registration;
    let password = password.of_user(&username, &email, "password")?;
    let password_hash = auth.passwords.hash(password).await?;
    let id = UserId::new(clock::new_ulid());
    let (session, refresh) = auth.new_session(id, request)?;
    let new = NewUser { id, username, email, created_at: clock::now(), password_hash, session };
    let user = auth.base.store.create_user(new).await?;
    auth.send_verification(user.id).await;
    auth.signed_in(&refresh, user.token_version)
}
