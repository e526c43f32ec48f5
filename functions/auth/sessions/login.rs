//! `POST /api/auth/login`: begins a session. An unknown user and a wrong password take the same work and get the
//! same answer.

use serde::Deserialize;
use shared::Result;
use shared::auth::{Password, Passwords, second_factor};
use shared::clock;
use shared::domain::{LoginName, SecondFactor, User};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::CredentialProof;
use utoipa::ToSchema;

use crate::auth::guess::Guess;
use crate::auth::{Auth, SignedIn};

#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"username": "alice", "password": "a long enough passphrase"}))]
struct Credentials {
    /// The username or the email address.
    #[schema(example = "alice")]
    username: String,
    #[schema(format = Password, example = "a long enough passphrase")]
    password: String,
    /// A code of the second factor, or a recovery code, for who has one.
    #[schema(example = "123456")]
    totp: Option<String>,
}

/// Log in
///
/// Begins a session. An unknown user and a wrong password get the same answer. Of 50 sessions, the one least used ends.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    operation_id = "log_in",
    tag = "accounts",
    request_body = Credentials,
    responses((status = 200, description = "The session has begun.", body = SignedIn)),
    security(),
    extensions(("x-codes" = json!([Code::WrongCredentials, Code::TotpRequired, Code::WrongTotp, Code::TooManyAttempts]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let Presented { login, password, code } = match presented(request) {
        Ok(presented) => presented,
        Err(error) => {
            auth.app.visitor(request).await?;
            return Err(error);
        }
    };
    let mut guess = Guess::begin(auth, request, &login).await?;
    let user = guess.user.take();
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let matches = auth.passwords.verify(password.clone(), stored).await?;
    let Some(user) = user.filter(|_| matches) else {
        guess.was_wrong().await?;
        return Err(wrong());
    };
    let second_factor = match judge(&user, code.as_deref()) {
        Ok(second_factor) => second_factor,
        Err(error) => {
            match error.code() {
                Code::TotpRequired => guess.was_incomplete().await?,
                _ => guess.was_wrong().await?,
            }
            return Err(error);
        }
    };
    guess.was_right().await?;
    let outdated = Passwords::is_outdated(&user.password_hash);
    let stronger_hash = if outdated { Some(auth.passwords.hash(password).await?) } else { None };
    let (session, refresh) = auth.new_session(user.id, request)?;
    let proof = CredentialProof { stronger_hash, second_factor };
    let begun = auth.app.store.create_session(&user, &session, &proof).await?;
    for ended in begun.ended {
        auth.close_session(user.id, ended).await?;
    }
    if !begun.is_begun {
        return Err(wrong());
    }
    auth.signed_in(&refresh, user.token_version)
}

/// What may be somebody's credentials.
struct Presented {
    login: LoginName,
    password: Password,
    code: Option<String>,
}

/// Text that can be nobody's name or password is simply wrong: saying more would tell the rules to guessers and nothing to
/// users. It is too long or too short to have been registered, so there is nothing to time.
fn presented(request: &Request) -> Result<Presented> {
    let Credentials { username, password, totp: code } = request.json()?;
    let login = LoginName::try_from(username).map_err(|_rule| wrong())?;
    let password = Password::try_from(password).map_err(|_rule| wrong())?;
    Ok(Presented { login, password, code })
}

fn wrong() -> Error {
    Error::new(Code::WrongCredentials, "Incorrect username or password")
}

/// The second factor that `code` stands for; none of a user who has none.
fn judge(user: &User, code: Option<&str>) -> Result<Option<SecondFactor>> {
    let Some(totp) = &user.totp else { return Ok(None) };
    let code = code.ok_or_else(|| Error::new(Code::TotpRequired, "A code of the second factor is needed"))?;
    let found = second_factor(totp, &user.recovery_hashes, code, clock::now());
    found.map(Some).ok_or_else(|| Error::new(Code::WrongTotp, "The code is wrong or was used"))
}
