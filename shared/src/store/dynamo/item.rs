//! Conversion between items and Rust values, and access to single attributes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::expression::text;
use super::key::Key;
use crate::error::{Error, Result};

/// The item with the attributes of `value`, the key `key` and the attribute `kind`.
pub(in crate::store) fn item_at(
    key: Key,
    kind: &str,
    value: &impl Serialize,
) -> Result<HashMap<String, AttributeValue>> {
    let mut item = to_item(value)?;
    item.extend(key.attributes());
    item.insert("kind".to_owned(), text(kind));
    Ok(item)
}

/// Serializes a value to the attributes of an item.
pub(in crate::store) fn to_item(value: &impl Serialize) -> Result<HashMap<String, AttributeValue>> {
    serde_dynamo::to_item(value).map_err(Error::internal)
}

/// Deserializes a value from the attributes of an item.
pub(in crate::store) fn from_item<T: DeserializeOwned>(item: HashMap<String, AttributeValue>) -> Result<T> {
    serde_dynamo::from_item(item).map_err(Error::internal)
}

/// The integer attribute `name` of an item, or 0 when it has none.
pub(in crate::store) fn integer(item: &HashMap<String, AttributeValue>, name: &str) -> i64 {
    item.get(name).and_then(|value| value.as_n().ok()).and_then(|n| n.parse().ok()).unwrap_or_default()
}

pub(in crate::store) fn sort_key(item: &HashMap<String, AttributeValue>) -> &str {
    item.get("sk").and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}
