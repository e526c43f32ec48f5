//! Cold start: what most functions need before their first event.

use std::sync::Arc;
use std::time::Duration;

use shared::Result;
use shared::auth::{
    AuthError, Authenticator, Caller, CountedGuess, FrameLimiter, Keyring, Limiter, Tokens, check_allowance,
};
use shared::aws::secrets::Secrets;
use shared::aws::{self, SdkConfig};
use shared::chat::Limits;
use shared::config::Variables;
use shared::domain::usage::Budget;
use shared::domain::{Allowance, ModelName, Network, Rate, Requester, User};
use shared::http::Request;
use shared::models::{BaseUrl, Catalogue, Models, Offer, Provider, ProviderAccount, ProviderKey, Settings};
use shared::store::{Costs, Store};
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

/// What clients can ask for: the models of each provider whose key is set.
///
/// # Errors
/// When the default or the fallback is none of them.
pub fn offer(variables: &mut Variables) -> Result<Offer, StartError> {
    let models = |text: String| text.parse::<Catalogue>().map_err(|_quotes_it| "is not what it should be");
    let catalogue = variables.optional("MODELS", models);
    let default = variables.optional("DEFAULT_MODEL", ModelName::try_from);
    let fallback = variables.optional("FALLBACK_MODEL", ModelName::try_from);
    // A function that may read a key knows where it is; any other is only told whether there is one.
    let is_set = |key: &str| ["ARN", "SET"].iter().any(|how| variables.is_set(&format!("{key}_{how}")));
    let has_key = |provider| match provider {
        Provider::OpenAi => is_set("OPENAI_API_KEY"),
        Provider::Anthropic => is_set("ANTHROPIC_API_KEY"),
        Provider::Offline => false,
    };
    Ok(Offer::new(catalogue, default, fallback, has_key)?)
}

/// What users may spend. A limit of 0 is none.
pub fn limits(variables: &mut Variables) -> Limits {
    let some = |number: u64| (number > 0).then_some(number);
    Limits {
        models_enabled: variables.parsed_or("MODELS_ENABLED", true),
        budget: Budget {
            tokens: some(variables.parsed_or("DAILY_TOKENS", 1_000_000)),
            micro_dollars: some(variables.parsed_or("DAILY_MICRO_DOLLARS", 5_000_000)),
            replies: variables.parsed_or("REPLIES_AT_ONCE", 3),
        },
    }
}

/// The providers, before their keys are read.
pub struct Providers {
    openai: KeySource,
    openai_base: Option<BaseUrl>,
    anthropic: KeySource,
    anthropic_base: Option<BaseUrl>,
    offline_pause: Duration,
    offer: Offer,
}

/// Where a provider's key is in Secrets Manager, if there is one.
struct KeySource(Option<String>);

impl KeySource {
    fn named(variables: &mut Variables, arn: &str) -> Self {
        Self(variables.optional(arn, Ok::<_, &str>))
    }

    async fn read(self, secrets: &Secrets) -> Result<Option<ProviderKey>, StartError> {
        let Some(arn) = self.0 else { return Ok(None) };
        Ok(Some(ProviderKey::try_from(secrets.read(&arn).await?)?))
    }
}

/// The providers that are set up.
///
/// # Errors
/// As [`offer`].
pub fn providers(variables: &mut Variables) -> Result<Providers, StartError> {
    Ok(Providers {
        openai: KeySource::named(variables, "OPENAI_API_KEY_ARN"),
        openai_base: variables.optional("OPENAI_BASE_URL", BaseUrl::try_from),
        anthropic: KeySource::named(variables, "ANTHROPIC_API_KEY_ARN"),
        anthropic_base: variables.optional("ANTHROPIC_BASE_URL", BaseUrl::try_from),
        offline_pause: Duration::from_millis(variables.parsed_or("OFFLINE_TOKEN_DELAY_MS", 15)),
        offer: offer(variables)?,
    })
}

impl Providers {
    /// Reads the keys and connects.
    ///
    /// # Errors
    /// When Secrets Manager is out of reach, or a key is none.
    pub async fn connect(self, aws: &SdkConfig) -> Result<Models, StartError> {
        let secrets = Secrets::connect(aws);
        let (openai, anthropic) = tokio::join!(self.openai.read(&secrets), self.anthropic.read(&secrets));
        Models::connect(Settings {
            offline_pause: self.offline_pause,
            openai: openai?.map(|key| ProviderAccount::openai(key, self.openai_base)),
            anthropic: anthropic?.map(|key| ProviderAccount::anthropic(key, self.anthropic_base)),
            offer: self.offer,
        })
    }
}

/// What every function starts with that knows callers.
pub struct AppContext {
    /// Both tables.
    pub store: Store,
    /// Issues and verifies tokens.
    pub tokens: Tokens,
    /// The keys that sign tokens.
    pub keyring: Arc<Keyring>,
    /// Lets callers in.
    pub authenticator: Authenticator,
    /// Counts requests.
    pub limiter: Limiter,
    /// How many requests anybody may make.
    rate: Option<Rate>,
    /// How many bytes the conversations of a user may take.
    pub quota: Option<u64>,
    /// Configures further AWS clients.
    pub aws: SdkConfig,
}

impl AppContext {
    /// Reads what is common and connects. A function that keeps no connections has no `connections_table`.
    ///
    /// # Errors
    /// Every variable that is missing or bad, those read before too; a signing secret that is bad or out of reach.
    pub async fn connect(mut variables: Variables, connections_table: String) -> Result<Self, StartError> {
        let (studio_table, secret) = (variables.text("STUDIO_TABLE"), variables.text("SECRET_KEY_ARN"));
        let tokens = Tokens::new(variables.parsed_or("ACCESS_TOKEN_EXPIRE_MINUTES", 30));
        let rate =
            Rate::new(variables.parsed_or("RATE_LIMIT", 100), variables.parsed_or("RATE_LIMIT_WINDOW", 60));
        let quota = Some(variables.parsed_or("STORAGE_BYTES", 1_000_000_000)).filter(|bytes| *bytes > 0);
        let aws = aws::config(&mut variables)?;
        variables.done(Some(()))?;
        let store = Store::connect(&aws, studio_table, connections_table).with_quota(quota);
        let keyring = Arc::new(Keyring::open(Secrets::connect(&aws), secret).await?);
        let authenticator = Authenticator::new(tokens.clone(), Arc::clone(&keyring), store.clone());
        let limiter = Limiter::new(store.clone(), rate);
        Ok(Self { store, tokens, keyring, authenticator, limiter, rate, quota, aws })
    }

    /// Counts the frames of connections, in proportion to the limit on requests.
    #[must_use]
    pub fn frame_limiter(&self) -> FrameLimiter {
        FrameLimiter::new(self.store.clone(), self.rate)
    }

    /// The caller of `request`. What changes something counts against the user's requests, and what shows no good
    /// token against those of its network.
    ///
    /// # Errors
    /// [`shared::error::Code::Unauthenticated`], [`shared::error::Code::RateLimited`].
    pub async fn caller(&self, request: &Request) -> Result<Caller> {
        let (caller, _) = self.admit(request).await?;
        Ok(caller)
    }

    /// The caller, with the user as seen in the last four seconds, and with the reason when there is none.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn admit(&self, request: &Request) -> Result<(Caller, Arc<User>), AuthError> {
        let admitted = match request.bearer() {
            Ok(token) => self.authenticator.admit(token).await,
            Err(error) => Err(AuthError::Failed(error)),
        };
        self.counted(request, admitted).await
    }

    /// The caller, with the user as read for this request: [`Authenticator::admit_now`].
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn admit_now(&self, request: &Request) -> Result<(Caller, Arc<User>), AuthError> {
        let admitted = match request.bearer() {
            Ok(token) => self.authenticator.admit_now(token).await,
            Err(error) => Err(AuthError::Failed(error)),
        };
        self.counted(request, admitted).await
    }

    /// Counts a write against its user, and a request that was not admitted against its network.
    async fn counted(
        &self,
        request: &Request,
        admitted: Result<(Caller, Arc<User>), AuthError>,
    ) -> Result<(Caller, Arc<User>), AuthError> {
        if let Ok((caller, _)) = &admitted {
            Costs::are_of(caller.user);
        }
        match &admitted {
            Ok((caller, _)) if request.is_write() => {
                self.count(request, &Requester::User(caller.user)).await.map_err(AuthError::Failed)?;
            }
            Ok(_) => {}
            Err(_) => self.visitor(request).await.map_err(AuthError::Failed)?,
        }
        admitted
    }

    /// Counts a request of somebody whom we do not know.
    ///
    /// # Errors
    /// [`shared::error::Code::RateLimited`].
    pub async fn visitor(&self, request: &Request) -> Result<()> {
        self.count(request, &Requester::Network(Network::of(request.address()))).await
    }

    /// Counts a guess at a password, by somebody whom we do not know.
    ///
    /// # Errors
    /// [`shared::error::Code::RateLimited`].
    pub async fn guesser(&self, request: &Request, network: Network) -> Result<CountedGuess> {
        let (allowance, guess) = self.limiter.count_guess(Requester::Network(network)).await?;
        if let Err(refused) = check(request, allowance) {
            // The next window would take it for one under way.
            self.limiter.settle_guess(&guess).await?;
            return Err(refused);
        }
        Ok(guess)
    }

    /// Counts a connect of somebody whom we do not know, from this address.
    ///
    /// # Errors
    /// [`shared::error::Code::RateLimited`].
    pub async fn stranger(&self, address: &str) -> Result<()> {
        let allowance = self.limiter.count(&Requester::Network(Network::of(address))).await?;
        allowance.as_ref().map_or(Ok(()), check_allowance)
    }

    async fn count(&self, request: &Request, requester: &Requester) -> Result<()> {
        check(request, self.limiter.count(requester).await?)
    }
}

fn check(request: &Request, allowance: Option<Allowance>) -> Result<()> {
    let Some(allowance) = allowance else { return Ok(()) };
    request.note_allowance(allowance);
    check_allowance(&allowance)
}
