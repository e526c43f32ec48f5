//! Error messages for JSON that breaks a rule: the place and the rule. They consist of field names of our own interface
//! and of positions only, because the messages of serde repeat names and values of the input.

use serde::de::IgnoredAny;
use serde_path_to_error::{Path, Segment};

use crate::error::{Code, Error};

/// Translates an error of serde into the error for the client. `subject` says what was parsed: the body, a frame, an
/// entry.
pub(super) fn explain(
    subject: &str,
    error: &serde_path_to_error::Error<serde_json::Error>,
    text: &[u8],
) -> Error {
    let inner = error.inner();
    let message = inner.to_string();
    let rule = if inner.is_data() {
        rule_of(&message)
    } else if serde_json::from_slice::<IgnoredAny>(text).is_ok() {
        // `text` is valid JSON, but serde_json calls some type errors syntax errors: a value that is not a string where
        // an enum is expected, a number out of range, and half of a surrogate pair.
        let is_lone_surrogate = message.contains("surrogate") || message.contains("hex escape");
        if is_lone_surrogate { "must not have half of a surrogate pair" } else { "must be of another type" }
            .to_owned()
    } else {
        return malformed(subject, inner);
    };
    let place = place_of(error.path(), message.starts_with(UNKNOWN_FIELD));
    if place.is_empty() {
        Error::invalid(format!("{subject} {rule}"))
    } else {
        Error::invalid_field(place, rule)
    }
}

/// The error for text that is not JSON.
pub(super) fn malformed(subject: &str, error: &serde_json::Error) -> Error {
    let place = format!("line {}, column {}", error.line(), error.column());
    Error::new(Code::MalformedJson, format!("{subject} is not valid JSON ({place})"))
}

const UNKNOWN_FIELD: &str = "unknown field `";

/// The path to the faulty value, such as `messages[3].role`. Every segment is a field name of our interface, except the
/// last segment of a path to an unknown field: the client chose that name, so it is left out.
fn place_of(path: &Path, is_unknown_field: bool) -> String {
    let mut segments: Vec<&Segment> = path.iter().collect();
    if is_unknown_field {
        segments.pop();
    }
    let mut place = String::new();
    for segment in segments {
        match segment {
            Segment::Seq { index } => place.push_str(&format!("[{index}]")),
            Segment::Map { key } => {
                if !place.is_empty() {
                    place.push('.');
                }
                place.push_str(key);
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    place
}

/// The rule that a message of serde states. The part before the last "expected" repeats the input; the part after it is
/// written by us or by serde.
fn rule_of(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    if message.starts_with(UNKNOWN_FIELD) {
        return known_fields(message);
    }
    if ["unknown variant `", "invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .any(|beginning| message.starts_with(beginning))
    {
        let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
        return expected.map_or("must be of another type".to_owned(), |it| format!("must be {}", plain(it)));
    }
    // Either a field name of our interface, or the rule of one of our own types.
    message
        .replace("missing field", "must have the field")
        .replace("duplicate field", "must not repeat the field")
}

fn known_fields(message: &str) -> String {
    if message.ends_with("`, there are no fields") {
        return "must have no fields".to_owned();
    }
    let known = message.rsplit_once(", expected ").map_or("", |(_, known)| known);
    let known = known.strip_prefix("one of ").unwrap_or(known).replace(" or ", ", ");
    format!("must have no other fields than {known}")
}

/// The plain name of a type that serde names as Rust does.
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::error::Code;
    use crate::json::parse;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the errors are read")]
    struct Body {
        count: u64,
        role: crate::domain::Role,
        title: crate::domain::Title,
        inner: Option<Strict>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors are read")]
    struct Strict {
        one: Option<u64>,
        two: Option<u64>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}

    fn problem(text: &str) -> String {
        parse::<Body>(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_error_states_the_rule_and_never_repeats_the_input() {
        assert_eq!(problem(r#"{"count":"s3cret"}"#), "count: must be a whole number, not negative");
        assert_eq!(problem(r#"{"count":1}"#), "The body must have the field `role`");
        assert_eq!(problem("[]"), "The body must be an object");
        assert_eq!(problem(r#"{"count":1,"count":1}"#), "The body must not repeat the field `count`");
        for role in ["7", "null", "[\"user\"]"] {
            assert_eq!(problem(&format!("{{\"role\":{role}}}")), "role: must be of another type");
        }
        for role in
            ["s3cret, expected", "s3cret at line 1, expected s3cret at line ", "`, there are no fields"]
        {
            let rule = "role: must be one of `user`, `assistant`, `system`";
            assert_eq!(problem(&format!(r#"{{"count":1,"role":"{role}"}}"#)), rule);
        }
        assert_eq!(
            problem(r#"{"count":1,"role":"user","title":""}"#),
            "title: must have 1 to 256 characters"
        );
        assert_eq!(problem(r#"{"title":"\ud83d"}"#), "title: must not have half of a surrogate pair");
    }

    #[test]
    fn the_name_of_an_unknown_field_is_not_repeated() {
        for name in
            ["s3cret", "s3cret, expected `s3cret`", "s3cret`, there are no fields", "s3cret at line 1"]
        {
            let rule = "inner: must have no other fields than `one`, `two`";
            assert_eq!(problem(&format!(r#"{{"inner":{{"{name}":{{"deep":1}}}}}}"#)), rule);
            let strict = parse::<Strict>(format!("{{\"{name}\":1}}").as_bytes()).unwrap_err();
            assert_eq!(strict.to_string(), "The body must have no other fields than `one`, `two`");
            assert!(strict.fields().is_empty());
            let empty = parse::<Empty>(format!("{{\"{name}\":1}}").as_bytes()).unwrap_err();
            assert_eq!(empty.to_string(), "The body must have no fields");
        }
    }

    #[test]
    fn text_that_is_not_json_has_its_own_error_code() {
        for text in ["", "{", "{}x", "nul", "\u{0}", "{\"count\":1,}"] {
            let error = parse::<serde_json::Value>(text.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::MalformedJson, "{text:?}");
        }
        assert!(parse::<serde_json::Value>(b"\"\xff\"").is_err());
    }
}
