//! Which models clients can ask, and what they cost.

use std::fmt;
use std::sync::Arc;

use super::catalogue::{Catalogue, Entry, Provider};
use crate::domain::ModelName;
use crate::error::{Code, Error, Result};

/// The models that clients can ask. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Empty without a key: then the offline model answers to every name.
    catalogue: Arc<Catalogue>,
    default: ModelName,
    fallback: Option<ModelName>,
}

/// The default or the fallback is not on offer.
#[derive(Debug)]
pub struct NotOnOffer;

impl fmt::Display for NotOnOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DEFAULT_MODEL and FALLBACK_MODEL must be models that can be asked")
    }
}

impl std::error::Error for NotOnOffer {}

impl Offer {
    /// The models of `catalogue`, or of the shipped one, whose provider has a key; `default` is asked when a client names none,
    /// `fallback` when another one does not begin.
    ///
    /// # Errors
    /// When one of these two is not on offer.
    pub fn new(
        catalogue: Option<Catalogue>,
        default: Option<ModelName>,
        fallback: Option<ModelName>,
        has_key: impl Fn(Provider) -> bool,
    ) -> Result<Self, NotOnOffer> {
        let own = ModelName::default_of_contract();
        // The catalogue is not read for nothing: that is a part of each cold start.
        if !has_key(Provider::OpenAi) && !has_key(Provider::Anthropic) {
            return Ok(Self {
                catalogue: Arc::new(Catalogue::empty()),
                default: default.unwrap_or(own),
                fallback: None,
            });
        }
        let mut catalogue = catalogue.unwrap_or_default().retain(&has_key);
        catalogue.add(Entry::offline(ModelName::offline()));
        if [&default, &fallback].into_iter().flatten().any(|named| catalogue.find(named).is_none()) {
            return Err(NotOnOffer);
        }
        let first = catalogue.find(&own).or_else(|| catalogue.entries().next()).map(|entry| entry.id.clone());
        let default = default.or(first).unwrap_or(own);
        Ok(Self { catalogue: Arc::new(catalogue), default, fallback })
    }

    /// What can be asked, by name. Without any key the offline model answers to every name, and this is empty.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.catalogue.entries()
    }

    /// The model that is asked when a client names none.
    #[must_use]
    pub fn default_model(&self) -> &ModelName {
        &self.default
    }

    /// The model to ask when `entry` does not begin.
    #[must_use]
    pub fn fallback_of(&self, entry: &Entry) -> Option<Entry> {
        let fallback = self.fallback.as_ref().filter(|fallback| **fallback != entry.id)?;
        self.catalogue.find(fallback).cloned()
    }

    /// The model that a client means.
    ///
    /// # Errors
    /// [`Code::UnknownModel`] with those there are.
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
