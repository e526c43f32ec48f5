//! The models that can be asked: what each can do and what it costs. Data, not code; configuration adds to it.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::transport::stream::Patience;
use crate::domain::{GenerationParams, ModelName, Usage};

/// The models that come with the studio.
const SHIPPED: &str = include_str!("catalogue.json");
/// Of a model that configuration names and says no more of.
const MODEST_WINDOW: u64 = 8192;
const MODEST_OUTPUT: u32 = 4096;
/// What is assumed of a model that reasons: thoughts take room.
const WINDOW_WITH_THOUGHTS: u64 = 65_536;
const OUTPUT_WITH_THOUGHTS: u32 = 32_768;
const MILLION: u64 = 1_000_000;
/// The most tokens of a reply when a client names no number.
const MAX_TOKENS: u32 = 2048;
const MAX_TOKENS_WITH_THOUGHTS: u32 = 16_384;
/// How long until a provider sends the first byte of its stream, and how long it may be silent after that.
const FIRST_BYTE: Duration = Duration::from_secs(20);
const BETWEEN: Duration = Duration::from_secs(15);
/// How long a model may be silent that reasons: some think for minutes, and do not tell what.
const WHILE_THINKING: Duration = Duration::from_secs(300);
/// No reply takes longer, in seconds.
const LONGEST_TIMEOUT: u64 = 890;

/// Whose interface a model is asked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// OpenAI's chat completions, and whoever speaks them.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// The model that is built in.
    Offline,
}

/// What a model can do beyond text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// It takes a temperature.
    Temperature,
    /// It thinks before it answers, and counts that as output.
    Reasoning,
    /// It sees pictures.
    Vision,
    /// It calls tools.
    Tools,
}

/// What a million tokens cost, in micro-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens read.
    #[serde(default)]
    pub input: u64,
    /// Tokens written.
    #[serde(default)]
    pub output: u64,
    /// Tokens read from the provider's cache; as others, where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// Tokens put into the provider's cache; as others, where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
}

impl Price {
    /// What `usage` costs in micro-dollars, rounded up.
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

/// A model that can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Model)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What clients call it.
    pub id: ModelName,
    /// Whom it is asked through.
    pub provider: Provider,
    /// What the provider calls it, where that differs.
    #[serde(default, skip_serializing)]
    pub upstream: Option<ModelName>,
    /// How many tokens it takes, its own included.
    #[serde(default = "modest_window")]
    pub context_window: u64,
    /// How many tokens it writes at most.
    #[serde(default = "modest_output")]
    pub max_output: u32,
    /// What it costs.
    #[serde(default)]
    pub price: Price,
    /// What it can do.
    #[serde(default = "plain")]
    pub capabilities: Vec<Capability>,
    /// For how many seconds it may be silent, before its first word and after it. Where nothing is said, that depends on
    /// whether it reasons.
    #[serde(default, skip_serializing)]
    pub timeout_seconds: Option<u64>,
}

fn modest_window() -> u64 {
    MODEST_WINDOW
}

fn modest_output() -> u32 {
    MODEST_OUTPUT
}

fn plain() -> Vec<Capability> {
    vec![Capability::Temperature]
}

impl Entry {
    /// Whether the model can do this.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// The most tokens of a reply with these parameters: the model's default where they name no number.
    #[must_use]
    pub fn max_tokens_of_reply(&self, params: GenerationParams) -> u32 {
        params.max_tokens().unwrap_or_else(|| self.default_max_tokens())
    }

    /// A model that reasons spends most of its tokens on that.
    fn default_max_tokens(&self) -> u32 {
        if self.can(Capability::Reasoning) { MAX_TOKENS_WITH_THOUGHTS } else { MAX_TOKENS }
    }

    /// How long it may be silent.
    pub(super) fn patience(&self) -> Patience {
        let all = |time| Patience { first: time, between: time };
        match self.timeout_seconds {
            Some(seconds) => all(Duration::from_secs(seconds.clamp(1, LONGEST_TIMEOUT))),
            None if self.can(Capability::Reasoning) => all(WHILE_THINKING),
            None => Patience { first: FIRST_BYTE, between: BETWEEN },
        }
    }

    /// The name under which its usage is booked. All names that the offline model answers to are one, since a client may make
    /// up any number of them.
    #[must_use]
    pub fn ledger_name(&self) -> ModelName {
        if self.provider == Provider::Offline { Self::offline_name() } else { self.id.clone() }
    }

    /// The offline model's own name.
    #[must_use]
    pub fn offline_name() -> ModelName {
        ModelName::offline()
    }

    /// The name by which the provider knows it.
    pub(super) fn upstream(&self) -> &str {
        self.upstream.as_ref().unwrap_or(&self.id).as_str()
    }

    /// The offline model, under the name by which it was asked.
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

/// Models by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    entries: BTreeMap<ModelName, Entry>,
}

impl Catalogue {
    /// No models.
    pub(super) fn empty() -> Self {
        Self { entries: BTreeMap::new() }
    }

    /// The same without the models for which `usable` says no.
    pub(super) fn retain(mut self, usable: impl Fn(Provider) -> bool) -> Self {
        self.entries.retain(|_, entry| usable(entry.provider));
        self
    }

    pub(super) fn add(&mut self, entry: Entry) {
        self.entries.insert(entry.id.clone(), entry);
    }

    pub(super) fn find(&self, id: &ModelName) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}

impl Default for Catalogue {
    /// The models that come with the studio.
    fn default() -> Self {
        // They are well written: a test reads them.
        let shipped: Vec<Entry> = serde_json::from_str(SHIPPED).unwrap_or_default();
        Self { entries: shipped.into_iter().map(|entry| (entry.id.clone(), entry)).collect() }
    }
}

/// The models that come with the studio, and those of a JSON list like the shipped one, which come on top or change one of the
/// same name and provider: what they do not say stays as it was shipped.
impl FromStr for Catalogue {
    type Err = serde_json::Error;

    fn from_str(more: &str) -> Result<Self, Self::Err> {
        let mut catalogue = Self::default();
        let shipped: Vec<Fields> = serde_json::from_str(SHIPPED)?;
        for fields in serde_json::from_str::<Vec<Fields>>(more)? {
            let mut entry = base_of(&fields, &shipped);
            entry.extend(fields);
            let entry: Entry = serde_json::from_value(Value::Object(entry))?;
            if entry.provider != Provider::Offline {
                catalogue.add(entry);
            }
        }
        Ok(catalogue)
    }
}

/// An entry as it is written.
type Fields = Map<String, Value>;

/// What holds for an entry where it says nothing.
fn base_of(fields: &Fields, shipped: &[Fields]) -> Fields {
    let is_alike =
        |other: &&Fields| ["id", "provider"].iter().all(|name| other.get(*name) == fields.get(*name));
    let reasons = || fields.get("capabilities")?.as_array().map(|list| list.contains(&json!("reasoning")));
    if let Some(shipped) = shipped.iter().find(is_alike) {
        return shipped.clone();
    }
    let mut base = Fields::new();
    if reasons() == Some(true) {
        base.insert("context_window".to_owned(), json!(WINDOW_WITH_THOUGHTS));
        base.insert("max_output".to_owned(), json!(OUTPUT_WITH_THOUGHTS));
    }
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_models_are_read_and_configuration_adds_and_replaces() {
        let more = r#"[{"id": "llama3", "provider": "openai"}, {"id": "gpt-4o", "provider": "openai", "upstream": "mine"}]"#;
        let catalogue = more.parse::<Catalogue>().unwrap();
        let llama = catalogue.find(&"llama3".parse().unwrap()).unwrap();
        assert_eq!((llama.context_window, llama.max_output, llama.upstream()), (8192, 4096, "llama3"));
        let known = catalogue.find(&"gpt-4o".parse().unwrap()).unwrap();
        assert_eq!(
            (known.upstream(), known.context_window, known.price.output),
            ("mine", 128_000, 10_000_000)
        );
        assert!(catalogue.entries().all(|entry| u64::from(entry.max_output) < entry.context_window));
        assert!(catalogue.entries().count() > 15);
        assert!("[{}]".parse::<Catalogue>().is_err() && "{".parse::<Catalogue>().is_err());
    }

    #[test]
    fn a_model_that_reasons_gets_room_and_time_for_it() {
        let more = r#"[{"id": "r1", "provider": "openai", "capabilities": ["reasoning"]},
            {"id": "slow", "provider": "openai", "timeout_seconds": 120},
            {"id": "o3", "provider": "openai", "timeout_seconds": 100000, "max_output": 9}]"#;
        let catalogue = more.parse::<Catalogue>().unwrap();
        let find = |id: &str| catalogue.find(&id.parse().unwrap()).unwrap();
        let seconds = |id: &str| (find(id).patience().first.as_secs(), find(id).patience().between.as_secs());
        assert_eq!((seconds("gpt-4o"), seconds("gpt-5")), ((20, 15), (300, 300)));
        assert_eq!((seconds("r1"), seconds("slow"), seconds("o3")), ((300, 300), (120, 120), (890, 890)));
        let tokens = |id: &str| (find(id).default_max_tokens(), find(id).max_output);
        assert_eq!((tokens("gpt-4o"), tokens("r1")), ((2048, 16_384), (16_384, 32_768)));
        assert!(find("o3").can(Capability::Reasoning) && find("o3").max_output == 9);
        assert!(r#"[{"id": "x", "provider": "openai", "timeout": 1}]"#.parse::<Catalogue>().is_err());
    }

    #[test]
    fn a_price_counts_each_kind_of_token_and_rounds_up() {
        let price = Price { input: 3_000_000, output: 15_000_000, cached: Some(300_000), cache_write: None };
        let usage = Usage { input: 1000, cached: 400, cache_written: 100, output: 10 };
        assert_eq!(price.of(&usage), (500 * 3 + 100 * 3) + 400 * 3 / 10 + 150);
        assert_eq!(price.of(&Usage { output: 1, ..Usage::default() }), 15);
        assert_eq!(Price { input: 1, ..Price::default() }.of(&Usage { input: 1, ..Usage::default() }), 1);
    }
}
