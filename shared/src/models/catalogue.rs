//! The catalogue of models. It is data, not code; configuration adds to it.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::entry::{Entry, Provider};
use crate::domain::ModelName;

/// The models that come with the studio.
const SHIPPED: &str = include_str!("catalogue.json");
/// What is assumed of a configured model that reasons, since reasoning takes room.
const CONTEXT_WINDOW_WITH_REASONING: u64 = 65_536;
const MAX_OUTPUT_WITH_REASONING: u32 = 32_768;

/// Models by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    entries: BTreeMap<ModelName, Entry>,
}

impl Catalogue {
    /// A catalogue without models.
    pub(super) fn empty() -> Self {
        Self { entries: BTreeMap::new() }
    }

    /// The catalogue with only the models of providers that are `usable`.
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
        // A test checks that the shipped list can be parsed.
        let shipped: Vec<Entry> = serde_json::from_str(SHIPPED).unwrap_or_default();
        Self { entries: shipped.into_iter().map(|entry| (entry.id.clone(), entry)).collect() }
    }
}

/// Parses a JSON list of models in the format of the shipped list, and adds them to the shipped models. A model with
/// the name and provider of a shipped one changes only the fields that it names.
impl FromStr for Catalogue {
    type Err = serde_json::Error;

    fn from_str(more: &str) -> Result<Self, Self::Err> {
        let mut catalogue = Self::default();
        let shipped: Vec<EntryFields> = serde_json::from_str(SHIPPED)?;
        for fields in serde_json::from_str::<Vec<EntryFields>>(more)? {
            let mut entry = defaults_of(&fields, &shipped);
            entry.extend(fields);
            let entry: Entry = serde_json::from_value(Value::Object(entry))?;
            if entry.provider != Provider::Offline {
                catalogue.add(entry);
            }
        }
        Ok(catalogue)
    }
}

/// The fields of an entry in JSON.
type EntryFields = Map<String, Value>;

/// The fields that apply where an entry does not name them.
fn defaults_of(fields: &EntryFields, shipped: &[EntryFields]) -> EntryFields {
    let is_same_model =
        |other: &&EntryFields| ["id", "provider"].iter().all(|name| other.get(*name) == fields.get(*name));
    if let Some(shipped) = shipped.iter().find(is_same_model) {
        return shipped.clone();
    }
    let capabilities = fields.get("capabilities").and_then(Value::as_array);
    let mut defaults = EntryFields::new();
    if capabilities.is_some_and(|list| list.contains(&json!("reasoning"))) {
        defaults.insert("context_window".to_owned(), json!(CONTEXT_WINDOW_WITH_REASONING));
        defaults.insert("max_output".to_owned(), json!(MAX_OUTPUT_WITH_REASONING));
    }
    defaults
}

#[cfg(test)]
mod tests {
    use super::super::Capability;
    use super::*;

    #[test]
    fn configuration_adds_models_and_changes_shipped_ones() {
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
        let seconds = |id: &str| (find(id).timeouts().first.as_secs(), find(id).timeouts().between.as_secs());
        assert_eq!((seconds("gpt-4o"), seconds("gpt-5")), ((20, 15), (300, 300)));
        assert_eq!((seconds("r1"), seconds("slow"), seconds("o3")), ((300, 300), (120, 120), (890, 890)));
        let tokens = |id: &str| (find(id).default_max_tokens(), find(id).max_output);
        assert_eq!((tokens("gpt-4o"), tokens("r1")), ((2048, 16_384), (16_384, 32_768)));
        assert!(find("o3").can(Capability::Reasoning) && find("o3").max_output == 9);
        assert!(r#"[{"id": "x", "provider": "openai", "timeout": 1}]"#.parse::<Catalogue>().is_err());
    }
}
