//! Text from clients. A value of one of these types has been checked, so it always satisfies the rule of its type.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The rule that some input breaks. It never echoes the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleBroken(pub(crate) String);

impl RuleBroken {
    /// Creates the error from the text of the rule, which must not echo the input. The text completes a sentence that
    /// begins with the name of a field.
    #[must_use]
    pub fn new(rule: impl Into<String>) -> Self {
        Self(rule.into())
    }
}

impl fmt::Display for RuleBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RuleBroken {}

/// Checks that `text` has `min` to `max` code points.
///
/// # Errors
/// The rule, if it does not.
pub(crate) fn check_length(text: &str, min: usize, max: usize) -> Result<(), RuleBroken> {
    // A code point has at most four bytes, so texts that are far too long need not be counted.
    let fits = text.len() <= max.saturating_mul(4) && (min..=max).contains(&text.chars().count());
    if fits { Ok(()) } else { Err(RuleBroken(format!("must have {min} to {max} characters"))) }
}

/// Checks that `text` contains no control characters.
///
/// # Errors
/// The rule, if it does.
pub(crate) fn check_printable(text: &str) -> Result<(), RuleBroken> {
    if text.chars().any(char::is_control) {
        return Err(RuleBroken("must not contain control characters".to_owned()));
    }
    Ok(())
}

/// `text` without white space, zero-width spaces and byte order marks around it. Text that is copied from web pages and
/// files often has them.
pub(crate) fn trimmed(text: String) -> String {
    let around = |c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}');
    let inner = text.trim_matches(around);
    if inner.len() == text.len() { text } else { inner.to_owned() }
}

/// Declares a type of text that is checked whenever a value is created, also when it is deserialized. The attributes
/// describe the rule in the OpenAPI document, which can express "no control characters" only as a pattern.
///
/// With `trimmed`, white space around the text is removed before the check.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, trimmed, $check:expr) => {
        $crate::domain::text::checked_text!($(#[$doc])* $name, $crate::domain::text::trimmed, $check);
    };
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $crate::domain::text::checked_text!($(#[$doc])* $name, |text: String| text, $check);
    };
    ($(#[$doc:meta])* $name:ident, $prepare:expr, $check:expr) => {
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
        )]
        $(#[$doc])*
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::domain::RuleBroken;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let prepare: fn(String) -> String = $prepare;
                let check: fn(&str) -> Result<(), $crate::domain::RuleBroken> = $check;
                let text = prepare(text);
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::RuleBroken;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use checked_text;

/// The longest text of a message, which a reply of a model may reach.
const MOST_BYTES: usize = 256 * 1024;
/// The most characters of what people write: a message, a prompt, a system prompt.
pub(super) const MOST_WRITTEN_CHARACTERS: usize = 65_536;

checked_text!(
    /// The title of a conversation: 1 to 256 characters.
    #[schema(min_length = 1, max_length = 256, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "Travel plans")]
    Title,
    |text| check_length(text, 1, 256).and_then(|()| check_printable(text))
);

checked_text!(
    /// The name of an AI model: 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "gpt-3.5-turbo")]
    ModelName,
    |text| check_length(text, 1, 128).and_then(|()| check_printable(text))
);

checked_text!(
    /// The system prompt of a conversation: at most 65,536 characters.
    #[schema(max_length = 65_536, example = "Answer briefly.")]
    SystemPrompt,
    |text| check_length(text, 0, MOST_WRITTEN_CHARACTERS)
);

checked_text!(
    /// The text of a message: at most 256 KB. What people write has at most 65,536 characters; the text of a reply is
    /// empty until the reply ends.
    #[schema(max_length = 262_144, example = "Where shall we go?")]
    Content,
    |text| {
        if text.len() > MOST_BYTES {
            return Err(RuleBroken(format!("must have at most {MOST_BYTES} bytes")));
        }
        Ok(())
    }
);

checked_text!(
    /// The message of a user that asks for a reply: 1 to 65,536 characters, at least one of them not white space.
    #[schema(min_length = 1, max_length = 65_536)]
    Prompt,
    |text| {
        check_length(text, 1, MOST_WRITTEN_CHARACTERS)?;
        if text.trim().is_empty() {
            return Err(RuleBroken("must not be blank".to_owned()));
        }
        Ok(())
    }
);

impl From<Prompt> for Content {
    fn from(prompt: Prompt) -> Self {
        Self(prompt.0)
    }
}

impl Content {
    /// Whether the text is empty or only white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// The text of a reply. A longer text than a message may have is truncated at the last character that fits.
    #[must_use]
    pub fn of_reply(text: &str) -> Self {
        Self(text.get(..text.floor_char_boundary(MOST_BYTES)).unwrap_or_default().to_owned())
    }
}

impl ModelName {
    /// The name of the built-in offline model.
    #[must_use]
    pub fn offline() -> Self {
        Self("offline".to_owned())
    }

    /// The model of a conversation whose client names no model, as the old interface documented it.
    #[must_use]
    pub fn default_for_old_clients() -> Self {
        Self("gpt-3.5-turbo".to_owned())
    }
}

impl Title {
    /// The title of a conversation for which no better title is known.
    #[must_use]
    pub fn untitled() -> Self {
        Self("New conversation".to_owned())
    }
}

/// A count of tokens: 0 to 1,000,000,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(maximum = 1_000_000_000, example = 12)]
#[serde(try_from = "u64", into = "u64")]
pub struct TokenCount(u64);

impl TokenCount {
    /// The number of tokens.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl From<TokenCount> for u64 {
    fn from(count: TokenCount) -> Self {
        count.0
    }
}

impl TryFrom<u64> for TokenCount {
    type Error = RuleBroken;

    fn try_from(count: u64) -> Result<Self, RuleBroken> {
        if count > 1_000_000_000 {
            return Err(RuleBroken("must be at most 1000000000".to_owned()));
        }
        Ok(Self(count))
    }
}

/// The bytes that a text takes as a JSON string inside another JSON string, without the quotes. A Lambda function
/// returns the body of an HTTP answer in this form.
pub(super) fn escaped_length(text: &str) -> usize {
    text.bytes().map(escaped_twice).sum()
}

fn escaped_twice(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' => 4,
        b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 3,
        0..=0x1f => 7,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_characters_not_bytes() {
        assert!(Title::try_from("好".repeat(256)).is_ok());
        assert!(Title::try_from("好".repeat(257)).is_err());
    }

    #[test]
    fn a_rule_never_echoes_the_input() {
        let broken = Title::try_from("secret\u{0}".to_owned()).unwrap_err();
        assert!(!broken.to_string().contains("secret"));
    }

    #[test]
    fn a_blank_prompt_is_refused_and_empty_content_is_not() {
        assert!(Prompt::try_from(" \n\t".to_owned()).is_err());
        assert!(Content::try_from(String::new()).is_ok());
    }

    #[test]
    fn the_escaped_length_is_that_of_a_json_string_within_a_json_string() {
        for text in ["plain", "\"quoted\" \\ and\nbroken\tup", "\u{1}\u{8}\u{1f}", "敏捷的棕色狐狸 🦊"]
        {
            let twice = serde_json::to_string(&serde_json::to_string(text).unwrap()).unwrap();
            // The outer string has two quotes, the inner one two escaped quotes.
            assert_eq!(escaped_length(text), twice.len() - 6, "{text}");
        }
    }
}
