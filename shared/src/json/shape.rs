//! How deep a JSON text nests and how many values it has, counted before any value is built: a small text can stand for
//! objects that take a hundred times its size.

use crate::error::{Code, Error, Result};

/// Nothing of ours nests deeper than five, and no export that we know deeper than twelve.
const MOST_LEVELS: usize = 32;
/// An export of 4 MB whose messages are all very short has 230,000.
const MOST_VALUES: usize = 300_000;

/// Says whether `text`, which errors call `subject`, may be read.
///
/// # Errors
/// [`Code::MalformedJson`] when it nests too deep, [`Code::Invalid`] when it has too many values.
pub(super) fn check(subject: &str, text: &[u8]) -> Result<()> {
    let shape = Shape::of(text);
    if shape.levels > MOST_LEVELS {
        let detail = format!("{subject} nests deeper than {MOST_LEVELS} levels");
        return Err(Error::new(Code::MalformedJson, detail));
    }
    shape.check_values(subject)
}

/// Says whether a body has few enough values that its parts may be read one by one.
///
/// # Errors
/// [`Code::Invalid`] when it has too many.
pub fn check_values(body: &[u8]) -> Result<()> {
    Shape::of(body).check_values("The body")
}

/// The shape of a text, were it JSON.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    levels: usize,
    values: usize,
}

impl Shape {
    fn check_values(&self, subject: &str) -> Result<()> {
        if self.values > MOST_VALUES {
            let detail = format!("{subject} must have at most {MOST_VALUES} values; please send it in parts");
            return Err(Error::invalid(detail));
        }
        Ok(())
    }

    fn of(text: &[u8]) -> Self {
        let (mut depth, mut levels, mut commas, mut filled) = (0_usize, 0, 0, 0);
        let (mut in_string, mut is_escaped, mut is_opened) = (false, false, false);
        for byte in text {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if in_string => is_escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b',' => commas += 1,
                _ => {}
            }
            levels = levels.max(depth);
            // A list or an object has one value more than commas, unless it is empty.
            if is_opened && !byte.is_ascii_whitespace() {
                filled += usize::from(!matches!(byte, b'}' | b']'));
                is_opened = false;
            }
            is_opened |= !in_string && matches!(byte, b'{' | b'[');
        }
        Self { levels, values: 1 + commas + filled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_and_nothing_in_a_string() {
        let shape = |text: &str| {
            let Shape { levels, values } = Shape::of(text.as_bytes());
            (levels, values)
        };
        assert_eq!(shape("7"), (0, 1));
        assert_eq!(shape("[]"), (1, 1));
        assert_eq!(shape("[ ]"), (1, 1));
        assert_eq!(shape("{\n}"), (1, 1));
        assert_eq!(shape("[1, [], {\"a\": [2]}]"), (3, 6));
        assert_eq!(shape("[[[]]]"), (3, 3));
        assert_eq!(shape(r#"["[{,\",", "]"]"#), (1, 3));
        assert_eq!(shape(r#"{"a,[":{"b":"\\"}}"#), (2, 3));
    }

    #[test]
    fn deep_nesting_is_refused_and_brackets_in_strings_are_not_nesting() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(check("The body", nested(32).as_bytes()).is_ok());
        assert!(check("The body", nested(33).as_bytes()).is_err());
        assert!(check("The body", nested(100_000).as_bytes()).is_err());
        let text = format!("\"\\\"{}\"", "[".repeat(50));
        assert!(check("The body", text.as_bytes()).is_ok());
    }

    #[test]
    fn more_values_than_any_honest_body_has_are_refused() {
        let list = |values: usize| format!("[{}]", vec!["0"; values].join(","));
        assert!(check("The body", list(MOST_VALUES - 1).as_bytes()).is_ok());
        assert!(check("The body", list(MOST_VALUES).as_bytes()).is_err());
    }
}
