//! The context of a function that authenticates callers: store, tokens and limits.

use std::sync::Arc;

use shared::Result;
use shared::auth::{Authenticator, FrameLimiter, Keyring, Limiter, LoginGuard, Tokens};
use shared::aws::secrets::Secrets;
use shared::aws::{self, SdkConfig};
use shared::config::Variables;
use shared::domain::Rate;
use shared::store::Store;

use super::{StartError, settings};

/// What every function has that authenticates callers. It is created once, at the cold start.
pub struct AppContext {
    /// Reads and writes both tables.
    pub store: Store,
    /// Issues and verifies access tokens.
    pub tokens: Tokens,
    /// The keys that sign tokens.
    pub keyring: Arc<Keyring>,
    /// Finds the caller that a token or an API key belongs to.
    pub authenticator: Authenticator,
    /// Counts requests.
    pub(super) limiter: Limiter,
    rate: Option<Rate>,
    /// How many bytes the conversations of a user may take; `None` without a limit.
    pub quota: Option<u64>,
    /// The settings that AWS clients are made from.
    pub aws: SdkConfig,
}

impl AppContext {
    /// Reads the settings that functions share, and connects. A function that keeps no connections passes an empty
    /// `connections_table`.
    ///
    /// # Errors
    /// Every variable that is missing or bad, including those that the function itself read; a signing secret that is
    /// bad or cannot be read.
    pub async fn connect(mut variables: Variables, connections_table: String) -> Result<Self, StartError> {
        let (studio_table, secret) = (variables.text("STUDIO_TABLE"), variables.text("SECRET_KEY_ARN"));
        let tokens = Tokens::new(variables.parsed_or("ACCESS_TOKEN_EXPIRE_MINUTES", 30));
        let rate = settings::rate(&mut variables);
        let quota = settings::unless_zero(variables.parsed_or("STORAGE_BYTES", 1_000_000_000));
        let aws = aws::config(&mut variables)?;
        variables.done(Some(()))?;
        let store = Store::connect(&aws, studio_table, connections_table).with_quota(quota);
        let keyring = Arc::new(Keyring::open(Secrets::connect(&aws), secret).await?);
        let authenticator = Authenticator::new(tokens.clone(), Arc::clone(&keyring), store.clone());
        let limiter = Limiter::new(store.clone(), rate);
        Ok(Self { store, tokens, keyring, authenticator, limiter, rate, quota, aws })
    }

    /// Creates the limiter for frames of connections, whose limit is proportional to that of requests.
    #[must_use]
    pub fn frame_limiter(&self) -> FrameLimiter {
        FrameLimiter::new(self.store.clone(), self.rate)
    }

    /// Creates the guard against guessing passwords and codes.
    #[must_use]
    pub fn login_guard(&self) -> LoginGuard {
        LoginGuard::new(self.store.clone(), self.rate)
    }
}
