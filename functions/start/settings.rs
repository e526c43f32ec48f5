//! Settings that several functions read from the environment.

use shared::Result;
use shared::chat::Limits;
use shared::config::Variables;
use shared::domain::usage::Budget;
use shared::domain::{ModelName, Rate};
use shared::models::{Catalogue, Offer, Provider};
use shared::telemetry;

use super::StartError;

/// Starts logging, and returns the variables of the environment. A function calls it first.
#[must_use]
pub fn variables() -> Variables {
    let mut variables = Variables::new();
    let level: String = variables.parsed_or("LOG_LEVEL", "info".to_owned());
    telemetry::init(&level.to_lowercase());
    variables
}

/// The models that clients can use: those of each provider that has a key.
///
/// # Errors
/// When the default or the fallback model is not offered.
pub fn offer(variables: &mut Variables) -> Result<Offer, StartError> {
    // The message of the parser quotes the variable, which must not reach the log.
    let models = |text: String| text.parse::<Catalogue>().map_err(|_error| "is not what it should be");
    let catalogue = variables.optional("MODELS", models);
    let default = variables.optional("DEFAULT_MODEL", ModelName::try_from);
    let fallback = variables.optional("FALLBACK_MODEL", ModelName::try_from);
    // A function that may read the key has its ARN. The others only know whether there is one.
    let is_set = |key: &str| ["ARN", "SET"].iter().any(|how| variables.is_set(&format!("{key}_{how}")));
    let has_key = |provider| match provider {
        Provider::OpenAi => is_set("OPENAI_API_KEY"),
        Provider::Anthropic => is_set("ANTHROPIC_API_KEY"),
        Provider::Offline => false,
    };
    Ok(Offer::new(catalogue, default, fallback, has_key)?)
}

/// What users may spend.
pub fn limits(variables: &mut Variables) -> Limits {
    Limits {
        models_enabled: variables.parsed_or("MODELS_ENABLED", true),
        budget: Budget {
            tokens: unless_zero(variables.parsed_or("DAILY_TOKENS", 1_000_000)),
            micro_dollars: unless_zero(variables.parsed_or("DAILY_MICRO_DOLLARS", 5_000_000)),
            replies: variables.parsed_or("REPLIES_AT_ONCE", 3),
        },
    }
}

/// How many requests a user, or a network of unauthenticated callers, may make; `None` without a limit.
pub(crate) fn rate(variables: &mut Variables) -> Option<Rate> {
    Rate::new(variables.parsed_or("RATE_LIMIT", 100), variables.parsed_or("RATE_LIMIT_WINDOW", 60))
}

/// A limit from the environment, where 0 means that there is no limit.
pub(crate) fn unless_zero(limit: u64) -> Option<u64> {
    (limit > 0).then_some(limit)
}
