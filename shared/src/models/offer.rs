//! The models that clients can ask.

use std::fmt;
use std::sync::Arc;

use super::catalogue::Catalogue;
use super::entry::{Entry, Provider};
use crate::domain::ModelName;
use crate::error::{Code, Error, Result};

/// The models that clients can ask. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Empty when no provider has a key. The offline model then answers to every name.
    catalogue: Arc<Catalogue>,
    default: ModelName,
    fallback: Option<ModelName>,
}

/// The default model or the fallback model cannot be asked.
#[derive(Debug)]
pub struct NotOnOffer;

impl fmt::Display for NotOnOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "DEFAULT_MODEL and FALLBACK_MODEL must name models of the catalogue whose provider has a key",
        )
    }
}

impl std::error::Error for NotOnOffer {}

impl Offer {
    /// The models of `catalogue` whose provider has a key, or those of the shipped catalogue. The model `default` is
    /// asked when a client names none, the model `fallback` when another model fails before its first word.
    ///
    /// # Errors
    /// When `default` or `fallback` cannot be asked.
    pub fn new(
        catalogue: Option<Catalogue>,
        default: Option<ModelName>,
        fallback: Option<ModelName>,
        has_key: impl Fn(Provider) -> bool,
    ) -> Result<Self, NotOnOffer> {
        let preferred = ModelName::default_for_old_clients();
        // Parsing the catalogue takes time at each cold start, so it is skipped when it is not needed.
        if !has_key(Provider::OpenAi) && !has_key(Provider::Anthropic) {
            return Ok(Self {
                catalogue: Arc::new(Catalogue::empty()),
                default: default.unwrap_or(preferred),
                fallback: None,
            });
        }
        let mut catalogue = catalogue.unwrap_or_default().retain(&has_key);
        catalogue.add(Entry::offline(ModelName::offline()));
        if [&default, &fallback].into_iter().flatten().any(|named| catalogue.find(named).is_none()) {
            return Err(NotOnOffer);
        }
        let first =
            catalogue.find(&preferred).or_else(|| catalogue.entries().next()).map(|entry| entry.id.clone());
        let default = default.or(first).unwrap_or(preferred);
        Ok(Self { catalogue: Arc::new(catalogue), default, fallback })
    }

    /// The models, by name. Empty when no provider has a key: the offline model then answers to every name.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.catalogue.entries()
    }

    /// The model that answers when a client names none.
    #[must_use]
    pub fn default_model(&self) -> &ModelName {
        &self.default
    }

    /// The model to ask when the model of `entry` fails before its first word.
    #[must_use]
    pub fn fallback_of(&self, entry: &Entry) -> Option<Entry> {
        let fallback = self.fallback.as_ref().filter(|fallback| **fallback != entry.id)?;
        self.catalogue.find(fallback).cloned()
    }

    /// The model of this name.
    ///
    /// # Errors
    /// [`Code::UnknownModel`], with the names of the models that can be asked.
    pub fn find(&self, name: &ModelName) -> Result<Entry> {
        if self.entries().next().is_none() {
            return Ok(Entry::offline(name.clone()));
        }
        self.catalogue.find(name).cloned().ok_or_else(|| {
            let names: Vec<&str> = self.entries().map(|entry| entry.id.as_str()).collect();
            let rule = format!("must be one of {}", names.join(", "));
            Error::invalid_field("model", rule).with_code(Code::UnknownModel)
        })
    }
}
