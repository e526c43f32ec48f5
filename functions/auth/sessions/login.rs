//! `POST /api/auth/login`: begins a session. An unknown user and a wrong password cost the same work and get the same
//! answer.

use serde::Deserialize;
use shared::Result;
use shared::auth::{Credentials, Passwords, VerifiedLogin, wrong_credentials};
use shared::domain::Network;
use shared::error::Code;
use shared::http::{Answer, Request};
use shared::store::CredentialProof;
use utoipa::ToSchema;

use crate::auth::{Auth, SignedIn};

#[derive(Deserialize, ToSchema)]
#[schema(as = Credentials, example = json!({"username": "alice", "password": "a long enough passphrase"}))]
struct LoginRequest {
    /// The username or the email address.
    #[schema(example = "alice")]
    username: String,
    #[schema(format = Password, example = "a long enough passphrase")]
    password: String,
    /// A code of the authenticator app or a recovery code. Required if the second factor is on.
    #[schema(example = "123456")]
    totp: Option<String>,
}

/// Log in
///
/// Begins a session. An unknown user and a wrong password get the same answer. A user has at most 50 sessions: beyond
/// that, the session that was unused for longest ends.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    operation_id = "log_in",
    tag = "accounts",
    request_body = LoginRequest,
    responses((status = 200, description = "The tokens of the new session.", body = SignedIn)),
    security(),
    extensions(("x-codes" = json!([Code::WrongCredentials, Code::TotpRequired, Code::WrongTotp, Code::TooManyAttempts]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let credentials = match parse(request) {
        Ok(credentials) => credentials,
        Err(error) => {
            auth.app.count_anonymous(request).await?;
            return Err(error);
        }
    };
    let (network, note) = (Network::of(request.address()), |allowance| request.note_allowance(allowance));
    let VerifiedLogin { user, second_factor } = auth.guard.check_login(&credentials, network, note).await?;
    let is_outdated = Passwords::is_outdated(&user.password_hash);
    let stronger_hash =
        if is_outdated { Some(auth.passwords.hash(credentials.into_password()).await?) } else { None };
    let (session, refresh) = auth.new_session(user.id, request)?;
    let proof = CredentialProof { stronger_hash, second_factor };
    let begun = auth.app.store.create_session(&user, &session, &proof).await?;
    for ended in begun.ended {
        auth.close_session(user.id, ended).await?;
    }
    if !begun.is_begun {
        return Err(wrong_credentials());
    }
    auth.signed_in(&refresh, user.token_version)
}

fn parse(request: &Request) -> Result<Credentials> {
    let LoginRequest { username, password, totp } = request.json()?;
    Credentials::parse(username, password, totp)
}
