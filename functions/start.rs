//! Cold start: what most functions need before their first event.

use std::time::Duration;

use shared::Result;
use shared::auth::{Caller, Gate, RefreshKey, SecretKey, Tokens};
use shared::config::{self, AwsConfig, Variables};
use shared::http::Request;
use shared::models::Models;
use shared::store::Store;
use shared::telemetry;

/// Why a function cannot start. Lambda logs it.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// Begins the cold start: logs come out from here on.
#[must_use]
pub fn variables() -> Variables {
    let mut variables = Variables::new();
    let level: String = variables.parsed_or("LOG_LEVEL", "info".to_owned());
    telemetry::init(&level.to_lowercase());
    variables
}

/// The models that can be asked.
pub fn models(variables: &mut Variables) -> Models {
    Models::offline(Duration::from_millis(variables.parsed_or("OFFLINE_TOKEN_DELAY_MS", 15)))
}

fn tokens(variables: &mut Variables) -> Option<(Tokens, RefreshKey)> {
    let minutes = variables.parsed_or("ACCESS_TOKEN_EXPIRE_MINUTES", 30);
    let secret = variables.checked("SECRET_KEY", SecretKey::try_from)?;
    Some((Tokens::new(&secret, minutes), RefreshKey::new(&secret)))
}

/// What every function starts with that knows callers.
pub struct Foundation {
    /// Both tables.
    pub store: Store,
    /// Issues and verifies tokens.
    pub tokens: Tokens,
    /// Computes the successors of refresh tokens.
    pub refresh_key: RefreshKey,
    /// Lets callers in.
    pub gate: Gate,
    /// Configures further AWS clients.
    pub aws: AwsConfig,
}

impl Foundation {
    /// Reads what is common and connects. A function that keeps no connections has no `connections_table`.
    ///
    /// # Errors
    /// Every variable that is missing or bad, those read before too.
    pub async fn lay(mut variables: Variables, connections_table: String) -> Result<Self, StartError> {
        let (tokens, studio_table) = (tokens(&mut variables), variables.text("STUDIO_TABLE"));
        let (tokens, refresh_key) = variables.done(tokens)?;
        let aws = config::aws().await;
        let store = Store::connect(&aws, studio_table, connections_table);
        let gate = Gate::new(tokens.clone(), store.clone());
        Ok(Self { store, tokens, refresh_key, gate, aws })
    }

    /// The caller of `request`.
    ///
    /// # Errors
    /// [`shared::error::Code::Unauthenticated`].
    pub async fn caller(&self, request: &Request) -> Result<Caller> {
        let (caller, _) = self.gate.admit(request.bearer()?).await?;
        Ok(caller)
    }
}
