//! The function `auth`: registration, login, sessions, API keys, the second factor and the profile.

mod account;
mod api_keys;
mod password;
mod sessions;
mod totp;

use serde::Serialize;
use shared::Result;
use shared::accounts::{AccountTask, MAIL_TOKEN_PREFIX};
use shared::auth::{AuthError, Claim, LoginGuard, Passwords, RefreshToken, UserSecret};
use shared::aws::async_invoke::AsyncInvoker;
use shared::chat::Connections;
use shared::clock;
use shared::domain::accounts::session::Session;
use shared::domain::{Credential, Email, LoggedIn, SessionId, UserId};
use shared::error::{Code, Error};
use shared::http::{Answer, Group, Parameters, Request};
use shared::store::{MailToken, NewSession, Purpose};

use crate::queries;
use crate::start::{self, AppContext, StartError};
use utoipa::{OpenApi, ToSchema};

/// The OpenAPI document of this function's routes.
#[derive(OpenApi)]
#[openapi(paths(
    account::register::handle,
    sessions::login::handle,
    sessions::refresh::handle,
    sessions::logout::handle,
    sessions::logout_all::handle,
    sessions::list::handle,
    sessions::delete::handle,
    sessions::ws_ticket::handle,
    api_keys::list::handle,
    api_keys::create::handle,
    api_keys::delete::handle,
    password::change::handle,
    password::forgot::handle,
    password::reset::handle,
    account::verify_email::handle,
    totp::enrol::handle,
    totp::confirm::handle,
    totp::disable::handle,
    account::me::handle,
    account::profile::handle,
    account::delete::handle
))]
pub(crate) struct AuthApi;

/// What the handlers of this function share.
pub struct Auth {
    app: AppContext,
    guard: LoginGuard,
    passwords: Passwords,
    connections: Connections,
    /// Invokes the function `tasks`.
    invoker: AsyncInvoker,
}

impl Auth {
    /// Reads the settings and creates the clients.
    ///
    /// # Errors
    /// All variables that are missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let mut variables = start::variables();
        let (connections_table, endpoint) =
            (variables.text("CONNECTIONS_TABLE"), variables.text("WEBSOCKET_ENDPOINT"));
        let tasks = variables.text("TASKS_FUNCTION");
        let app = AppContext::connect(variables, connections_table).await?;
        let invoker = AsyncInvoker::connect(&app.aws, tasks);
        let connections = Connections::connect(&app.aws, endpoint, app.store.clone());
        Ok(Self { guard: app.login_guard(), app, passwords: Passwords, connections, invoker })
    }
}

impl Group for Auth {
    fn parameters(&self, route_key: &str) -> Parameters {
        queries::of(route_key)
    }

    #[expect(clippy::cognitive_complexity, reason = "it is a table of routes")]
    async fn route(&self, request: &Request) -> Result<Answer> {
        match request.route_key() {
            "POST /api/auth/register" => account::register::handle(self, request).await,
            "POST /api/auth/login" => sessions::login::handle(self, request).await,
            "POST /api/auth/refresh" => sessions::refresh::handle(self, request).await,
            "POST /api/auth/logout" => sessions::logout::handle(self, request).await,
            "POST /api/auth/logout-all" => sessions::logout_all::handle(self, request).await,
            "GET /api/auth/sessions" => sessions::list::handle(self, request).await,
            "DELETE /api/auth/sessions/{id}" => sessions::delete::handle(self, request).await,
            "POST /api/auth/ws-ticket" => sessions::ws_ticket::handle(self, request).await,
            "GET /api/auth/keys" => api_keys::list::handle(self, request).await,
            "POST /api/auth/keys" => api_keys::create::handle(self, request).await,
            "DELETE /api/auth/keys/{id}" => api_keys::delete::handle(self, request).await,
            "PUT /api/auth/password" => password::change::handle(self, request).await,
            "POST /api/auth/password/forgot" => password::forgot::handle(self, request).await,
            "POST /api/auth/password/reset" => password::reset::handle(self, request).await,
            "POST /api/auth/email/verify" => account::verify_email::handle(self, request).await,
            "POST /api/auth/totp" => totp::enrol::handle(self, request).await,
            "POST /api/auth/totp/confirm" => totp::confirm::handle(self, request).await,
            "DELETE /api/auth/totp" => totp::disable::handle(self, request).await,
            "DELETE /api/auth/me" => account::delete::handle(self, request).await,
            "PATCH /api/auth/me" => account::profile::handle(self, request).await,
            "GET /api/auth/me" => account::me::handle(self, request).await,
            _ => Err(request.unrouted()),
        }
    }
}

/// The tokens of a session: the answer to registration, login and refresh.
#[derive(Serialize, ToSchema)]
struct SignedIn {
    /// The access token, to be sent as `Authorization: Bearer …`.
    #[schema(example = "eyJhbGciOiJIUzI1NiIs…")]
    access_token: String,
    /// Always `bearer`.
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// The number of seconds that the access token is valid for.
    #[schema(example = 1800)]
    expires_in: u64,
    /// The refresh token, which can be exchanged once for new tokens.
    #[schema(example = "rt_…")]
    refresh_token: String,
    session_id: SessionId,
}

/// A token from a mail that a request presented, as stored under its hash.
struct PresentedMailToken {
    hash: String,
    token: MailToken,
}

impl Auth {
    /// The caller, who must have a session: an API key must not manage credentials. The user is read for this request,
    /// so a session that was just revoked is refused.
    async fn require_session(&self, request: &Request) -> Result<LoggedIn> {
        let (caller, user) = self.app.admit_now(request).await?;
        let Credential::Session(session) = caller.credential else {
            return Err(Error::new(Code::Forbidden, "An API key may not do this; please log in"));
        };
        let logged_in = LoggedIn::new(user, session, caller.token_version);
        logged_in.ok_or_else(|| Error::from(AuthError::BadToken))
    }

    /// Requests a mail to verify the user's address. A failure is only logged, because the user can ask for another
    /// mail.
    async fn send_verification(&self, user: UserId) {
        if let Err(error) = self.invoker.invoke(&AccountTask::VerifyAddress { user }).await {
            tracing::warn!(?error, "could not invoke `tasks` to send a verification mail");
        }
    }

    /// Requests a mail to the user's previous address. A failure is only logged, because the address is already
    /// changed.
    async fn notify_old_address(&self, email: Email, was_verified: bool) {
        if let Err(error) = self.invoker.invoke(&AccountTask::AddressChanged { email, was_verified }).await {
            tracing::warn!(?error, "could not invoke `tasks` to notify a previous address");
        }
    }

    /// The stored token that `text` presents, if it is valid for `purpose` now.
    async fn mail_token(&self, text: &str, purpose: Purpose) -> Result<PresentedMailToken> {
        let UserSecret { user, hash } =
            UserSecret::parse(MAIL_TOKEN_PREFIX, text).ok_or_else(MailToken::refused)?;
        let token = self.app.store.get_mail_token(user, &hash, purpose, clock::now()).await?;
        Ok(PresentedMailToken { hash, token })
    }

    /// Closes the connections of a session that has ended.
    async fn close_session(&self, user: UserId, ended: SessionId) -> Result<()> {
        self.connections.close_where(user, |credential| credential == Credential::Session(ended)).await
    }

    /// Creates a session of `user` from what the request says about the client, and its first refresh token.
    fn new_session(&self, user: UserId, request: &Request) -> Result<(NewSession, RefreshToken)> {
        let now = clock::now();
        let session = Session {
            id: SessionId::new(clock::new_ulid()),
            created_at: now,
            last_used_at: now,
            address: request.address().to_owned(),
            user_agent: request.user_agent(),
        };
        let refresh = RefreshToken::first(user, session.id, &self.app.keyring.keys().current)?;
        Ok((NewSession { session, refresh_hash: refresh.hash() }, refresh))
    }

    /// Answers with a new access token and the refresh token of a session.
    fn signed_in(&self, refresh: &RefreshToken, token_version: u64) -> Result<Answer> {
        let (tokens, session_id) = (&self.app.tokens, refresh.session());
        let claim = Claim { user: refresh.user(), session: session_id, token_version };
        let key = &self.app.keyring.keys().current;
        let access_token = tokens.issue(key, &claim, clock::now(), clock::new_ulid())?;
        Answer::ok(&SignedIn {
            access_token,
            token_type: "bearer",
            expires_in: tokens.lifetime_seconds(),
            refresh_token: refresh.as_str().to_owned(),
            session_id,
        })
    }
}
