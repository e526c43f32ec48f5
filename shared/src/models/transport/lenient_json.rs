//! JSON of a provider, read field by field. A value that is missing, null, or of an unexpected type counts as absent.
//! Other fields are skipped, however large or deeply nested they are.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::text_joiner::TextJoiner;

/// The largest plausible token count.
const MAX_COUNT: u64 = 1_000_000_000;

/// A JSON value that is not null.
#[derive(Clone, Copy, Debug)]
pub(in crate::models) struct Json<'a>(&'a RawValue);

impl<'a> Json<'a> {
    /// The value in `text`.
    ///
    /// # Errors
    /// When it is not JSON. `Ok(None)` for null.
    pub(in crate::models) fn parse(text: &'a str) -> serde_json::Result<Option<Self>> {
        serde_json::from_str(text).map(Self::unless_null)
    }

    /// The consecutive values in `text`, without nulls.
    ///
    /// # Errors
    /// When one of them is not JSON.
    pub(in crate::models) fn parse_all(text: &'a str) -> serde_json::Result<Vec<Self>> {
        let values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        values.filter_map(|value| value.map(Self::unless_null).transpose()).collect()
    }

    fn unless_null(value: &'a RawValue) -> Option<Self> {
        (value.get() != "null").then_some(Self(value))
    }

    /// The JSON text.
    pub(in crate::models) fn as_str(self) -> &'a str {
        self.0.get()
    }

    /// Whether this is an object with the field `name`, which may be null.
    pub(in crate::models) fn has(self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// The field `name` of an object. If there are several, the last one that is not null.
    pub(in crate::models) fn get(self, name: &str) -> Option<Self> {
        self.field(name).flatten()
    }

    fn field(self, name: &str) -> Option<Option<Self>> {
        Field(name).deserialize(&mut serde_json::Deserializer::from_str(self.0.get())).ok().flatten()
    }

    /// The items of a list, or the value itself when it is no list.
    pub(in crate::models) fn items(self) -> Vec<Self> {
        match serde_json::from_str::<Vec<&RawValue>>(self.0.get()) {
            Ok(items) => items.into_iter().filter_map(Self::unless_null).collect(),
            Err(_no_list) => vec![self],
        }
    }

    pub(in crate::models) fn is_list(self) -> bool {
        self.0.get().starts_with('[')
    }

    pub(in crate::models) fn is_object(self) -> bool {
        self.0.get().starts_with('{')
    }

    pub(in crate::models) fn is_true(self) -> bool {
        self.0.get() == "true"
    }

    /// Whether the value carries no information: false, 0, or empty.
    pub(in crate::models) fn is_blank(self) -> bool {
        matches!(self.0.get(), "false" | "0" | "\"\"") || self.is_empty()
    }

    /// Whether this is an empty object or list.
    pub(in crate::models) fn is_empty(self) -> bool {
        let inside = self.0.get().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let inside = inside.or_else(|| self.0.get().strip_prefix('[')?.strip_suffix(']'));
        inside.is_some_and(|inside| inside.trim().is_empty())
    }

    /// The bytes of a text, which may begin or end within a character. [`TextJoiner`] joins them.
    pub(in crate::models) fn bytes(self) -> Option<Vec<u8>> {
        serde_json::Deserializer::from_str(self.0.get()).deserialize_bytes(ByteVisitor).ok()
    }

    /// A text that is complete in itself.
    pub(in crate::models) fn text(self) -> Option<String> {
        let mut joiner = TextJoiner::default();
        let text = joiner.take(&self.bytes()?);
        Some(text + joiner.end())
    }

    /// A count: fractions are rounded up, and negative numbers count as 0. A number may be given as text.
    pub(in crate::models) fn count(self) -> Option<u64> {
        let digits = self.0.get().trim_matches('"').trim();
        let number = digits.parse().ok().filter(|number: &f64| number.is_finite())?;
        // The cast saturates: negative numbers become 0, and large ones the maximum.
        Some((number.ceil() as u64).min(MAX_COUNT))
    }
}

/// Finds a field by its name. The field may be null.
struct Field<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Option<Option<Json<'de>>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Option<Option<Json<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found: Self::Value = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == self.0 {
                let value = Json::unless_null(map.next_value()?);
                found = Some(value.or(found.flatten()));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Reads the bytes of a text without checking that they are Unicode.
struct ByteVisitor;

impl<'de> Visitor<'de> for ByteVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json<'_> {
        Json::parse(text).unwrap().unwrap()
    }

    #[test]
    fn values_of_an_unexpected_type_are_absent() {
        let value = json(r#"{"a": null, "b": [1, null], "b2": "x", "c": {}, "a": 1, "a": null}"#);
        assert_eq!(value.get("a").and_then(Json::count), Some(1));
        assert!(value.has("a") && value.get("z").is_none() && !value.has("z"));
        assert_eq!(value.get("b").unwrap().items().len(), 1);
        assert_eq!(value.get("b2").unwrap().items().len(), 1);
        assert!(value.get("b").unwrap().get("x").is_none() && value.get("b").unwrap().text().is_none());
        assert!(value.get("c").unwrap().is_blank() && Json::parse("null").unwrap().is_none());
        assert!(Json::parse("{").is_err() && Json::parse("").is_err());
        assert_eq!(Json::parse_all("{}\n[] null 3").unwrap().len(), 3);
        assert!(Json::parse_all("{} x").is_err());
    }

    #[test]
    fn counts_may_be_fractions_texts_negative_or_absurd() {
        for (text, count) in [
            ("7", Some(7)),
            ("\" 7 \"", Some(7)),
            ("2.25", Some(3)),
            ("-3", Some(0)),
            ("1e300", Some(MAX_COUNT)),
            ("\"inf\"", None),
            ("[]", None),
            ("true", None),
            ("\"\"", None),
        ] {
            assert_eq!(json(text).count(), count, "{text}");
        }
    }

    #[test]
    fn nesting_may_be_deep() {
        let deep = format!(r#"{{"a": {}{}, "b": 1}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(json(&deep).get("b").and_then(Json::count), Some(1));
    }
}
