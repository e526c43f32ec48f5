//! The primary key of an item.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// The primary key of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Key {
    pub(in crate::store) pk: String,
    pub(in crate::store) sk: String,
}

impl Key {
    pub(in crate::store) fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// Whether this is the key of `item`.
    pub(in crate::store) fn is_of(&self, item: &HashMap<String, AttributeValue>) -> bool {
        let has = |name, part: &String| item.get(name).is_some_and(|value| value.as_s() == Ok(part));
        has("pk", &self.pk) && has("sk", &self.sk)
    }

    /// The key as a map of attributes.
    pub(in crate::store) fn attributes(self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk)),
            ("sk".to_owned(), AttributeValue::S(self.sk)),
        ])
    }
}
