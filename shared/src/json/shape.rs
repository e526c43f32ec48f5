//! Limits on the nesting depth and the number of values of a JSON text. Both are counted before any value is built,
//! because the objects built from a text can take a hundred times the memory of the text.

use crate::error::{Code, Error, Result};

/// The deepest nesting that is accepted. Our own formats nest five levels deep, the export formats of other products
/// twelve.
const MOST_LEVELS: usize = 32;
/// The most values that are accepted. An export of 4 MB with very short messages has 230,000.
const MOST_VALUES: usize = 300_000;

/// Checks that `text`, which errors call `subject`, is within both limits.
///
/// # Errors
/// [`Code::MalformedJson`] when it nests too deeply, [`Code::Invalid`] when it has too many values.
pub(super) fn check(subject: &str, text: &[u8]) -> Result<()> {
    let shape = Shape::of(text);
    if shape.levels > MOST_LEVELS {
        let detail = format!("{subject} nests deeper than {MOST_LEVELS} levels");
        return Err(Error::new(Code::MalformedJson, detail));
    }
    shape.check_values(subject)
}

/// Checks the number of values of a body whose parts are parsed one by one.
///
/// # Errors
/// [`Code::Invalid`] when it has too many.
pub fn check_values(body: &[u8]) -> Result<()> {
    Shape::of(body).check_values("The body")
}

/// The nesting depth and the number of values of a text, if it is JSON.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    levels: usize,
    values: usize,
}

impl Shape {
    fn check_values(&self, subject: &str) -> Result<()> {
        if self.values > MOST_VALUES {
            let detail =
                format!("{subject} must have at most {MOST_VALUES} values; send it in several parts");
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
            // A list or an object has one more value than it has commas, unless it is empty.
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
    fn values_are_counted_and_strings_are_skipped() {
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
    fn too_many_values_are_refused() {
        let list = |values: usize| format!("[{}]", vec!["0"; values].join(","));
        assert!(check("The body", list(MOST_VALUES - 1).as_bytes()).is_ok());
        assert!(check("The body", list(MOST_VALUES).as_bytes()).is_err());
    }
}
