//! Reads JSON from clients. What it says of bad input names the place and the rule, and never repeats the input.

mod fault;
mod shape;
mod split;

use serde::{Deserialize, Deserializer};

use crate::error::Result;

pub use self::shape::check_values;
pub use self::split::{members, name_and_value, without_non_numbers};

/// The value in `text`, a body of a request.
///
/// # Errors
/// [`crate::error::Code::MalformedJson`], or [`crate::error::Code::Invalid`] with the field that breaks a rule.
pub fn parse<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T> {
    parse_part("The body", text)
}

/// The value in `text`, which errors call `subject`.
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

/// A field that may be null, which is not the same as left out; with `serde(default)`.
///
/// # Errors
/// Those of the value.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}
