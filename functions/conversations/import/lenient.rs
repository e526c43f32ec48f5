//! Lenient parsing of other programs' exports, whose formats change: a value of an unexpected type counts as missing.
//! Only the texts of messages are parsed strictly, so that no text is lost silently.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use shared::domain::{Millis, ModelName, Title, is_visible, turns_direction};

/// Reads a field, or `None` if it is null or has another type. Used with `serde(default)`, so it may also be missing.
pub(super) fn lenient<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    field: D,
) -> Result<Option<T>, D::Error> {
    let raw = <&RawValue>::deserialize(field)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// Parses an object. Anything else counts as an object without fields.
///
/// # Errors
/// When the object cannot be parsed, for example because it has a field twice.
pub(super) fn parse_fields<'a, T: Deserialize<'a> + Default>(
    raw: Option<&'a RawValue>,
) -> serde_json::Result<T> {
    match raw.filter(|raw| raw.get().starts_with('{')) {
        Some(raw) => serde_json::from_str(raw.get()),
        None => Ok(T::default()),
    }
}

/// A short text, borrowed from the file unless it contains escapes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// A time in seconds or milliseconds since 1970, as a number or as text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Time(pub(super) Millis);

/// Smaller numbers are seconds. As seconds, this is the year 5138; as milliseconds, 1973.
const LEAST_MILLISECONDS: f64 = 1e11;

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form<'a> {
            Number(f64),
            #[serde(borrow)]
            Text(Text<'a>),
        }

        let number = match Form::deserialize(deserializer)? {
            Form::Number(number) => number,
            Form::Text(text) => text.0.trim().parse().map_err(|_no_number| D::Error::custom("no time"))?,
        };
        let milliseconds = if number.abs() < LEAST_MILLISECONDS { number * 1000.0 } else { number };
        // A cast from a float saturates, and makes NaN 0.
        Ok(Self(Millis::saturating(milliseconds.round() as u64)))
    }
}

/// The text of a field that may be a string, an object with a `text`, or a list of both. Other values, such as
/// pictures, have no text.
///
/// # Errors
/// When a string is not valid Unicode, for example because it contains half of a surrogate pair.
pub(super) fn text_of(raw: &RawValue) -> serde_json::Result<String> {
    #[derive(Deserialize)]
    struct TextPart<'a> {
        #[serde(borrow)]
        text: Option<&'a RawValue>,
    }

    match raw.get().bytes().next() {
        Some(b'"') => serde_json::from_str(raw.get()),
        Some(b'{') => match serde_json::from_str::<TextPart<'_>>(raw.get()) {
            Ok(TextPart { text: Some(text) }) if text.get().starts_with('"') => text_of(text),
            _ => Ok(String::new()),
        },
        Some(b'[') => {
            let parts = serde_json::from_str::<Vec<&RawValue>>(raw.get())?;
            let mut texts = Vec::new();
            for part in parts.into_iter().filter(|part| !part.get().starts_with('[')) {
                texts.push(text_of(part)?);
            }
            texts.retain(|text| !text.is_empty());
            Ok(texts.join("\n"))
        }
        _ => Ok(String::new()),
    }
}

/// A title without the characters that a title must not contain; `None` if no visible character is left.
pub(super) fn parse_title(title: Option<&str>) -> Option<Title> {
    let is_allowed = |c: &char| !c.is_control() && !turns_direction(*c);
    let plain: String = title?.chars().filter(is_allowed).take(256).collect();
    plain.parse().ok().filter(|title: &Title| is_visible(title.as_str()))
}

/// The name of a model; `None` if it is not a valid name here.
pub(super) fn parse_model(name: Option<&str>) -> Option<ModelName> {
    name?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Option<String> {
        text_of(serde_json::from_str(json).unwrap()).ok()
    }

    #[test]
    fn a_text_is_found_in_each_of_its_forms() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(text(r#""a""#), some("a"));
        assert_eq!(text(r#"{"text":"a","x":1}"#), some("a"));
        assert_eq!(text(r#"["a",{"text":"b"},null,7,{},[],{"text":null},""]"#), some("a\nb"));
        for nothing in ["null", "7", "{}", "[]", "[[\"a\"]]", "true", r#"{"text":{"text":"a"}}"#] {
            assert_eq!(text(nothing), some(""), "{nothing}");
        }
        assert_eq!(text(r#"["a","\ud83d"]"#), None);
    }

    #[test]
    fn a_time_may_be_in_seconds_or_milliseconds() {
        let time = |json: &str| serde_json::from_str::<Time>(json).ok().map(|time| time.0.get());
        assert_eq!(time("1700000000.25"), Some(1_700_000_000_250));
        assert_eq!(time("1700000000250"), Some(1_700_000_000_250));
        assert_eq!(time("\"1700000000\""), Some(1_700_000_000_000));
        assert_eq!(time("-7.5"), Some(0));
        assert_eq!(time("1e300"), Some(253_402_207_200_000));
        for none in ["null", "\"yesterday\"", "{}", "[1]", "true"] {
            assert_eq!(time(none), None, "{none}");
        }
    }
}
