//! Accounts: registration, login, the caller's own profile.

mod login;
mod me;
mod register;

use serde::Serialize;
use shared::Result;
use shared::auth::Passwords;
use shared::clock;
use shared::domain::{SessionId, User};
use shared::http::{Answer, Group, Request};

use crate::start::{self, Foundation, StartError};

/// What the handlers of this group share.
pub struct Auth {
    base: Foundation,
    passwords: Passwords,
}

impl Auth {
    /// Reads the environment and connects.
    ///
    /// # Errors
    /// Every variable that is missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let base = Foundation::lay(start::variables(), String::new()).await?;
        Ok(Self { base, passwords: Passwords::new()? })
    }
}

impl Group for Auth {
    async fn route(&self, request: &Request) -> Result<Answer> {
        match request.route_key() {
            "POST /api/auth/register" => register::handle(self, request).await,
            "POST /api/auth/login" => login::handle(self, request).await,
            "GET /api/auth/me" => me::handle(self, request).await,
            _ => Err(request.unrouted()),
        }
    }
}

/// What registration and login answer.
#[derive(Serialize)]
struct SignedIn {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
}

impl Auth {
    /// Begins a session of `user`.
    fn sign_in(&self, user: &User) -> Result<Answer> {
        let (tokens, session) = (&self.base.tokens, SessionId::new(clock::new_ulid()));
        let access_token =
            tokens.issue(user.id, session, user.token_version, clock::now(), clock::new_ulid())?;
        Answer::ok(&SignedIn { access_token, token_type: "bearer", expires_in: tokens.lifetime_seconds() })
    }
}
