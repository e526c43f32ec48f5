//! A model of the catalogue: its provider, what it can do, and what it costs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::transport::stream::StreamTimeouts;
use crate::domain::{GenerationParams, ModelName, Usage};

/// The context window and the output limit of a configured model that names none.
const DEFAULT_CONTEXT_WINDOW: u64 = 8192;
const DEFAULT_MAX_OUTPUT: u32 = 4096;
const MILLION: u64 = 1_000_000;
/// The most tokens of a reply when the client names no number.
const DEFAULT_MAX_TOKENS: u32 = 2048;
const DEFAULT_MAX_TOKENS_WITH_REASONING: u32 = 16_384;
/// How long a provider may take to send the first byte, and how long it may pause after that.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(20);
const PAUSE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a model that reasons may send nothing: some reason for minutes without sending what they think.
const REASONING_TIMEOUT: Duration = Duration::from_secs(300);
/// A Lambda function runs for 900 s at most.
const MAX_TIMEOUT_SECONDS: u64 = 890;

/// The interface through which a model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// OpenAI's chat completions, from OpenAI or a compatible server.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// The built-in offline model.
    Offline,
}

/// What a model can do beyond text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// The model accepts a temperature.
    Temperature,
    /// The model reasons before it answers. Reasoning counts as output.
    Reasoning,
    /// The model accepts images.
    Vision,
    /// The model calls tools.
    Tools,
}

/// What a million tokens cost, in millionths of a dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens that the model reads.
    #[serde(default)]
    pub input: u64,
    /// Tokens that the model writes.
    #[serde(default)]
    pub output: u64,
    /// Tokens that the model reads from the provider's cache. Default: the price of `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// Tokens that are written to the provider's cache. Default: the price of `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
}

impl Price {
    /// The price of `usage` in millionths of a dollar, rounded up.
    #[must_use]
    pub fn of(&self, usage: &Usage) -> u64 {
        let plain = usage.input.saturating_sub(usage.cached).saturating_sub(usage.cache_written);
        let parts = [
            (plain, self.input),
            (usage.cached, self.cached.unwrap_or(self.input)),
            (usage.cache_written, self.cache_write.unwrap_or(self.input)),
            (usage.output, self.output),
        ];
        let sum = parts
            .into_iter()
            .fold(0_u64, |sum, (tokens, price)| sum.saturating_add(tokens.saturating_mul(price)));
        sum.div_ceil(MILLION)
    }
}

/// A model that clients can ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Model)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name by which clients ask for the model.
    pub id: ModelName,
    /// The provider of the model.
    pub provider: Provider,
    /// The provider's name of the model. Default: `id`.
    #[serde(default, skip_serializing)]
    pub upstream: Option<ModelName>,
    /// The context window in tokens: the input and the output together.
    #[serde(default = "default_context_window")]
    pub context_window: u64,
    /// The most tokens that the model writes.
    #[serde(default = "default_max_output")]
    pub max_output: u32,
    /// The price of the model.
    #[serde(default)]
    pub price: Price,
    /// What the model can do.
    #[serde(default = "default_capabilities")]
    pub capabilities: Vec<Capability>,
    /// For how many seconds the model may send nothing, before its first byte and after it. The default depends on
    /// whether the model reasons.
    #[serde(default, skip_serializing)]
    pub timeout_seconds: Option<u64>,
}

fn default_context_window() -> u64 {
    DEFAULT_CONTEXT_WINDOW
}

fn default_max_output() -> u32 {
    DEFAULT_MAX_OUTPUT
}

fn default_capabilities() -> Vec<Capability> {
    vec![Capability::Temperature]
}

impl Entry {
    /// Whether the model has this capability.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// The most tokens of a reply with these parameters: the model's default where they name no number.
    #[must_use]
    pub fn max_tokens_of_reply(&self, params: GenerationParams) -> u32 {
        params.max_tokens().unwrap_or_else(|| self.default_max_tokens())
    }

    /// A model that reasons spends most of its tokens on reasoning, so it gets more.
    pub(super) fn default_max_tokens(&self) -> u32 {
        if self.can(Capability::Reasoning) { DEFAULT_MAX_TOKENS_WITH_REASONING } else { DEFAULT_MAX_TOKENS }
    }

    /// How long the model may send nothing.
    pub(super) fn timeouts(&self) -> StreamTimeouts {
        let both = |time| StreamTimeouts { first: time, between: time };
        match self.timeout_seconds {
            Some(seconds) => both(Duration::from_secs(seconds.clamp(1, MAX_TIMEOUT_SECONDS))),
            None if self.can(Capability::Reasoning) => both(REASONING_TIMEOUT),
            None => StreamTimeouts { first: FIRST_BYTE_TIMEOUT, between: PAUSE_TIMEOUT },
        }
    }

    /// The name under which the model's usage is booked. All names of the offline model are booked under one, since
    /// clients may invent any number of them.
    #[must_use]
    pub fn ledger_name(&self) -> ModelName {
        if self.provider == Provider::Offline { Self::offline_name() } else { self.id.clone() }
    }

    /// The offline model's own name.
    #[must_use]
    pub fn offline_name() -> ModelName {
        ModelName::offline()
    }

    /// The provider's name of the model.
    pub(super) fn upstream(&self) -> &str {
        self.upstream.as_ref().unwrap_or(&self.id).as_str()
    }

    /// The offline model, under the name by which a client asked for it.
    pub(crate) fn offline(id: ModelName) -> Self {
        Self {
            id,
            provider: Provider::Offline,
            upstream: None,
            context_window: 1_000_000,
            max_output: 131_072,
            price: Price::default(),
            capabilities: Vec::new(),
            timeout_seconds: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_counts_each_kind_of_token_and_rounds_up() {
        let price = Price { input: 3_000_000, output: 15_000_000, cached: Some(300_000), cache_write: None };
        let usage = Usage { input: 1000, cached: 400, cache_written: 100, output: 10 };
        assert_eq!(price.of(&usage), (500 * 3 + 100 * 3) + 400 * 3 / 10 + 150);
        assert_eq!(price.of(&Usage { output: 1, ..Usage::default() }), 15);
        assert_eq!(Price { input: 1, ..Price::default() }.of(&Usage { input: 1, ..Usage::default() }), 1);
    }
}
