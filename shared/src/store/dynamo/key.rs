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

    /// Whether it is the key of this item.
    pub(in crate::store) fn is_of(&self, item: &HashMap<String, AttributeValue>) -> bool {
        let is = |name, part: &String| item.get(name).is_some_and(|value| value.as_s() == Ok(part));
        is("pk", &self.pk) && is("sk", &self.sk)
    }

    /// As DynamoDB wants it.
    pub(in crate::store) fn attributes(self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk)),
            ("sk".to_owned(), AttributeValue::S(self.sk)),
        ])
    }
}
