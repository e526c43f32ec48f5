//! Names by which people recognise things. A name must be visible, and must not change the direction in which the text
//! around it is displayed.

use serde::{Deserialize, Deserializer};

use super::text::RuleBroken;
use super::{DisplayName, Folder, KeyName, Tags, Title};

/// A name from a request, checked to be visible. The types of the names themselves do not carry this rule, because
/// names that were stored before the rule existed may break it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visible<T>(T);

impl<T> Visible<T> {
    /// The checked name.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: Named> Visible<T> {
    /// Checks that the name is visible.
    ///
    /// # Errors
    /// The rule, if it is not.
    pub fn new(name: T) -> Result<Self, RuleBroken> {
        if name.texts().all(is_visible) {
            Ok(Self(name))
        } else {
            let rule = "must have a visible character, and no character that changes the direction of text";
            Err(RuleBroken::new(rule))
        }
    }
}

impl<'de, T: Deserialize<'de> + Named> Deserialize<'de> for Visible<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(T::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A value that consists of one or more names.
pub trait Named {
    /// All names in the value.
    fn texts(&self) -> impl Iterator<Item = &str>;
}

macro_rules! named {
    ($($name:ident),*) => {
        $(impl Named for $name {
            fn texts(&self) -> impl Iterator<Item = &str> {
                std::iter::once(self.as_str())
            }
        })*
    };
}

named!(DisplayName, Folder, KeyName, Title);

impl Named for Tags {
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.as_slice().iter().map(super::Tag::as_str)
    }
}

/// Whether `text` has a visible character and no character that changes the direction of the text around it.
#[must_use]
pub fn is_visible(text: &str) -> bool {
    !text.chars().any(turns_direction) && !text.chars().all(is_invisible)
}

/// Whether the character changes the direction of the text after it: bidirectional embeddings, overrides and isolates.
#[must_use]
pub fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether the character is not displayed: white space, control and format characters, `Default_Ignorable_Code_Point`,
/// and the braille blank.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visible_name_has_a_visible_character_and_keeps_the_direction_of_text() {
        for good in ["a", " a ", "好", "\u{5d0}\u{200f}", "👩\u{200d}👩\u{200d}👧", "हिन्दी", "-", "a\u{200b}"]
        {
            assert!(is_visible(good), "{good:?}");
        }
        for bad in [
            "",
            " ",
            "\u{a0}\u{2003}\u{3000}",
            "\u{200b}",
            "\u{200d}\u{feff}",
            "\u{3164}",
            "\u{2800}",
            "\u{ad}",
            "\u{e0041}",
            "\u{fe0f}",
            "\u{2060} ",
            "a\u{202e}b",
            "\u{2066}a\u{2069}",
            "\u{202a}a\u{202c}",
        ] {
            assert!(!is_visible(bad), "{bad:?}");
        }
    }
}
