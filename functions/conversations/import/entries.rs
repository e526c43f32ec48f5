//! Splits an imported file into its entries without parsing them, so that a bad entry, even one that is not JSON, does
//! not prevent the import of the others.

use serde::de::IgnoredAny;
use shared::Result;
use shared::error::{Code, Error};
use shared::json;

const MOST_ENTRIES: usize = 10_000;
const FIELD: &str = "conversations";

/// The entries of a file, in order. They need not be JSON.
pub(in crate::conversations) struct Entries<'a>(Vec<&'a [u8]>);

impl<'a> Entries<'a> {
    /// Splits a file, which is a list of conversations or an export of the studio.
    ///
    /// # Errors
    /// [`Code::MalformedJson`] if the entries cannot be separated, [`Code::Invalid`] if there is no list of entries or
    /// there are too many.
    pub(in crate::conversations) fn of(file: &'a [u8]) -> Result<Self> {
        let text = file.trim_ascii();
        let entries = match text.first() {
            Some(b'[') => members(file, text)?,
            Some(b'{') => members(file, conversations_of(file, text)?)?,
            _ => {
                json::parse::<IgnoredAny>(file)?;
                return Err(Error::invalid("The body must be a list of conversations or an export"));
            }
        };
        if entries.len() > MOST_ENTRIES {
            return Err(Error::invalid_field(
                FIELD,
                format!("must have at most {MOST_ENTRIES} conversations"),
            ));
        }
        Ok(Self(entries))
    }

    pub(in crate::conversations) fn as_slice(&self) -> &[&'a [u8]] {
        &self.0
    }
}

/// The list of conversations in an export.
fn conversations_of<'a>(file: &[u8], export: &'a [u8]) -> Result<&'a [u8]> {
    let mut list = None;
    for field in members(file, export)? {
        let (name, value) = json::name_and_value(field).ok_or_else(|| malformed(file))?;
        if name == FIELD && list.replace(value).is_some() {
            return Err(Error::invalid(format!("The body must not repeat the field `{FIELD}`")));
        }
    }
    let list = list.ok_or_else(|| Error::invalid(format!("The body must have the field `{FIELD}`")))?;
    if list.starts_with(b"[") { Ok(list) } else { Err(Error::invalid_field(FIELD, "must be a list")) }
}

fn members<'a>(file: &[u8], text: &'a [u8]) -> Result<Vec<&'a [u8]>> {
    json::members(text).ok_or_else(|| malformed(file))
}

/// The error that says where a file stops being valid JSON.
fn malformed(file: &[u8]) -> Error {
    let error = json::parse::<IgnoredAny>(file).err();
    error.unwrap_or_else(|| Error::new(Code::MalformedJson, "The body is not valid JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_split_even_if_its_entries_are_not_json() {
        let count = |file: &str| Entries::of(file.as_bytes()).map(|entries| entries.as_slice().len());
        for file in [
            "[{\"a\":NaN},\"\u{1}\"]",
            " [1 , 2] ",
            r#"{"v":NaN,"conversations":[{"conversations":7},x],"more":{}}"#,
            r#"{"\u0063onversations":[1,2]}"#,
        ] {
            assert_eq!(count(file).ok(), Some(2), "{file}");
        }
        let many = |entries: usize| format!("[{}]", vec!["0"; entries].join(","));
        assert!(count(&many(MOST_ENTRIES)).is_ok() && count(&many(MOST_ENTRIES + 1)).is_err());
    }

    #[test]
    fn a_file_whose_entries_cannot_be_separated_is_refused() {
        let code = |file: &str| Entries::of(file.as_bytes()).err().map(|error| error.code());
        for file in [
            "",
            "x",
            "[",
            "[1",
            "[1]x",
            "[\"]",
            "{1:2}",
            "{\"conversations\":[1}",
            "{\"conversations\":[1],}",
        ] {
            assert_eq!(code(file), Some(Code::MalformedJson), "{file}");
        }
        for file in [
            "7",
            "null",
            "\"x\"",
            "{}",
            r#"{"conversations":{}}"#,
            r#"{"conversations":[],"conversations":[]}"#,
        ] {
            assert_eq!(code(file), Some(Code::Invalid), "{file}");
        }
    }
}
