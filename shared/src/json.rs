//! Parses JSON from clients. Errors name the place and the rule that is broken; they never echo the input.

mod fault;
mod shape;
mod split;

use serde::{Deserialize, Deserializer};

#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;

pub use self::shape::check_values;
pub use self::split::{members, name_and_value, without_non_numbers};

/// Parses a request body.
///
/// # Errors
/// [`Code::MalformedJson`] when `text` is not JSON or nests too deeply; [`Code::Invalid`], with the field where there
/// is one, when it breaks a rule.
pub fn parse<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T> {
    parse_part("The body", text)
}

/// Parses `text`, which errors call `subject` ("The body", "The frame", "The entry").
///
/// # Errors
/// As [`parse`].
pub fn parse_part<'de, T: Deserialize<'de>>(subject: &str, text: &'de [u8]) -> Result<T> {
    shape::check(subject, text)?;
    let mut json = serde_json::Deserializer::from_slice(text);
    let value =
        serde_path_to_error::deserialize(&mut json).map_err(|error| fault::explain(subject, &error, text))?;
    json.end().map_err(|error| fault::malformed(subject, &error))?;
    Ok(value)
}

/// Deserializes an optional field in which null means something else than absence: `Some(None)` for null. To be used
/// with `serde(default)`, which gives `None` for an absent field.
///
/// # Errors
/// The errors of deserializing `T`.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}
