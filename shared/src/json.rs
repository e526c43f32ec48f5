//! Reads JSON from clients. What it says of bad input names the place and the rule, and never repeats the input.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::error::{Code, Error, Result};

/// Nothing of ours nests deeper than five.
const DEEPEST: usize = 32;

/// The value in `text`.
///
/// # Errors
/// [`Code::MalformedJson`], or [`Code::Invalid`] with the field that breaks a rule.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    if depth(text) > DEEPEST {
        return Err(Error::new(Code::MalformedJson, format!("The body nests deeper than {DEEPEST} levels")));
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| explain(&error, text))?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// A field that may be null, which is not the same as left out; with `serde(default)`.
///
/// # Errors
/// Those of the value.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

fn explain(error: &serde_path_to_error::Error<serde_json::Error>, text: &[u8]) -> Error {
    let inner = error.inner();
    let path = error.path().to_string();
    let rule = if inner.is_data() {
        rule(&inner.to_string())
    } else if serde_json::from_slice::<IgnoredAny>(text).is_ok() {
        // To serde_json, anything but text for one of a few names, or a number beyond all numbers, is bad syntax.
        "must be of another type".to_owned()
    } else {
        return malformed(inner);
    };
    if path == "." { Error::invalid(format!("The body {rule}")) } else { Error::invalid_field(path, rule) }
}

fn malformed(error: &serde_json::Error) -> Error {
    let place = format!("line {}, column {}", error.line(), error.column());
    Error::new(Code::MalformedJson, format!("The body is not valid JSON ({place})"))
}

/// What serde_json says, without the input that it repeats and without the place in the text.
fn rule(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    // As in "invalid type: string \"…\", expected u64": what follows the last comma is ours.
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("must be {}", plain(expected)),
        None => message
            .replace("missing field", "must have the field")
            .replace("duplicate field", "must not repeat the field"),
    }
}

/// The names that Rust has for JSON's types.
fn plain(expected: &str) -> &str {
    match expected {
        "u64" | "u32" => "a whole number, not negative",
        "f64" | "f32" => "a number",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        other if other.starts_with("struct ") || other == "a map" => "an object",
        other => other,
    }
}

/// How deep the text nests, were it JSON.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only what goes wrong is looked at")]
    struct Body {
        count: u64,
        role: crate::domain::Role,
        title: crate::domain::Title,
    }

    fn problem(text: &str) -> String {
        parse::<Body>(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_said_without_repeating_the_input() {
        assert_eq!(problem(r#"{"count":"s3cret"}"#), "count: must be a whole number, not negative");
        assert_eq!(problem(r#"{"count":1}"#), "The body must have the field `role`");
        assert_eq!(problem("[]"), "The body must be an object");
        assert_eq!(problem(r#"{"count":1,"count":1}"#), "The body must not repeat the field `count`");
        for role in ["7", "null", "[\"user\"]"] {
            assert_eq!(problem(&format!("{{\"role\":{role}}}")), "role: must be of another type");
        }
        assert_eq!(
            problem(r#"{"count":1,"role":"s3cret, expected"}"#),
            "role: must be one of `user`, `assistant`, `system`"
        );
        assert_eq!(
            problem(r#"{"count":1,"role":"user","title":""}"#),
            "title: must have 1 to 256 characters"
        );
    }

    #[test]
    fn what_is_not_json_is_told_apart() {
        for text in ["", "{", "{}x", "nul", "\u{0}", "{\"count\":1,}"] {
            let error = parse::<serde_json::Value>(text.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::MalformedJson, "{text:?}");
        }
        assert!(parse::<serde_json::Value>(b"\"\xff\"").is_err());
    }

    #[test]
    fn deep_nesting_is_refused_and_brackets_in_strings_are_not_nesting() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse::<serde_json::Value>(nested(32).as_bytes()).is_ok());
        assert!(parse::<serde_json::Value>(nested(33).as_bytes()).is_err());
        assert!(parse::<serde_json::Value>(nested(100_000).as_bytes()).is_err());
        let text = format!("\"\\\"{}\"", "[".repeat(50));
        assert!(parse::<serde_json::Value>(text.as_bytes()).is_ok());
    }
}
