//! The providers of models, as the environment configures them.

use std::time::Duration;

use shared::Result;
use shared::aws::SdkConfig;
use shared::aws::secrets::Secrets;
use shared::config::Variables;
use shared::models::{BaseUrl, Models, Offer, ProviderAccount, ProviderKey, Settings};

use super::{StartError, offer};

/// The settings of all providers; their keys are not read yet.
pub struct Providers {
    openai: ProviderSettings,
    anthropic: ProviderSettings,
    offline_pause: Duration,
    offer: Offer,
}

struct ProviderSettings {
    /// The ARN of the key in Secrets Manager, if the provider has a key.
    key_arn: Option<String>,
    base_url: Option<BaseUrl>,
}

/// Reads the settings of all providers.
///
/// # Errors
/// Those of [`offer`].
pub fn providers(variables: &mut Variables) -> Result<Providers, StartError> {
    Ok(Providers {
        openai: ProviderSettings::read(variables, "OPENAI_API_KEY_ARN", "OPENAI_BASE_URL"),
        anthropic: ProviderSettings::read(variables, "ANTHROPIC_API_KEY_ARN", "ANTHROPIC_BASE_URL"),
        offline_pause: Duration::from_millis(variables.parsed_or("OFFLINE_TOKEN_DELAY_MS", 15)),
        offer: offer(variables)?,
    })
}

impl ProviderSettings {
    fn read(variables: &mut Variables, key_arn: &str, base_url: &str) -> Self {
        Self {
            key_arn: variables.optional(key_arn, Ok::<_, &str>),
            base_url: variables.optional(base_url, BaseUrl::try_from),
        }
    }

    /// Reads the key. `None` if the provider has no key.
    async fn account(
        self,
        secrets: &Secrets,
        account: fn(ProviderKey, Option<BaseUrl>) -> ProviderAccount,
    ) -> Result<Option<ProviderAccount>, StartError> {
        let Some(arn) = self.key_arn else { return Ok(None) };
        let key = ProviderKey::try_from(secrets.read(&arn).await?)?;
        Ok(Some(account(key, self.base_url)))
    }
}

impl Providers {
    /// Reads the keys and creates the clients.
    ///
    /// # Errors
    /// When Secrets Manager is unavailable, or a key is malformed.
    pub async fn connect(self, aws: &SdkConfig) -> Result<Models, StartError> {
        let secrets = Secrets::connect(aws);
        let openai = self.openai.account(&secrets, ProviderAccount::openai);
        let anthropic = self.anthropic.account(&secrets, ProviderAccount::anthropic);
        let (openai, anthropic) = tokio::try_join!(openai, anthropic)?;
        let Self { offline_pause, offer, .. } = self;
        Models::connect(Settings { offline_pause, openai, anthropic, offer })
    }
}
