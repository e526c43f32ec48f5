//! Takes JSON texts apart without reading what they hold, so that one bad value spoils no other.

use std::borrow::Cow;

/// What Python writes for numbers that JSON does not have.
const NO_NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// The elements of a list or the fields of an object, each as the text it is, with nothing around it. Whether these are JSON is not
/// checked. `None` when the brackets of `text` do not fit, or nothing stands before or behind a comma.
#[must_use]
pub fn members(text: &[u8]) -> Option<Vec<&[u8]>> {
    let close = match text.first()? {
        b'[' => b']',
        b'{' => b'}',
        _ => return None,
    };
    let (mut depth, mut start, mut members) = (0_usize, 1, Vec::new());
    for (at, byte) in outside_strings(text) {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.checked_sub(1)?,
            b',' if depth == 1 => {
                members.push(Some(text.get(start..at)?.trim_ascii()).filter(|member| !member.is_empty())?);
                start = at + 1;
            }
            _ => {}
        }
        if depth == 0 {
            let last = text.get(start..at)?.trim_ascii();
            match (last.is_empty(), members.is_empty()) {
                (false, _) => members.push(last),
                (true, true) => {}
                (true, false) => return None,
            }
            return (byte == close && at + 1 == text.len()).then_some(members);
        }
    }
    None
}

/// The name and the value of a field that [`members`] gave; `None` when it is no field.
#[must_use]
pub fn name_and_value(field: &[u8]) -> Option<(Cow<'_, str>, &[u8])> {
    let (colon, _) = outside_strings(field).find(|(_, byte)| *byte == b':')?;
    let name: String = serde_json::from_slice(field.get(..colon)?).ok()?;
    Some((name.into(), field.get(colon + 1..)?.trim_ascii()))
}

/// A text with null in the place of each `NaN`, `Infinity` and `-Infinity` outside of strings.
#[must_use]
pub fn without_non_numbers(text: &str) -> Cow<'_, str> {
    if !NO_NUMBERS.iter().any(|name| text.contains(name)) {
        return Cow::Borrowed(text);
    }
    let (mut plain, mut copied, mut before) = (String::with_capacity(text.len()), 0, None);
    for (at, byte) in outside_strings(text.as_bytes()) {
        let rest = text.get(at..).filter(|_| at >= copied && !before.is_some_and(is_of_word));
        before = Some(byte);
        let Some(name) = rest.and_then(leading_non_number) else { continue };
        plain.push_str(text.get(copied..at).unwrap_or_default());
        plain.push_str("null");
        copied = at + name.len();
    }
    plain.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(plain)
}

fn leading_non_number(text: &str) -> Option<&'static str> {
    let name = NO_NUMBERS.into_iter().find(|name| text.starts_with(name))?;
    let follows = text.as_bytes().get(name.len()).copied();
    (!follows.is_some_and(is_of_word)).then_some(name)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.' | b'_' | b'"') || !byte.is_ascii()
}

/// The bytes outside of strings with their positions, and the quotes around strings.
fn outside_strings(text: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let (mut in_string, mut is_escaped) = (false, false);
    text.iter().copied().enumerate().filter(move |(_, byte)| {
        let was_in_string = in_string;
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
        !(was_in_string && in_string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Option<Vec<&str>> {
        let members = members(text.as_bytes())?;
        Some(members.into_iter().map(|member| str::from_utf8(member).unwrap()).collect())
    }

    #[test]
    fn members_are_told_apart_by_strings_and_depth_alone() {
        let expected: [(&str, &[&str]); 7] = [
            ("[]", &[]),
            ("{ }", &[]),
            ("[7]", &["7"]),
            (r#"[ {"a":[1,2]} , "x,]\"," , nonsense ]"#, &[r#"{"a":[1,2]}"#, r#""x,]\",""#, "nonsense"]),
            ("[\"a\nb\",NaN]", &["\"a\nb\"", "NaN"]),
            (r#"{"a":1,"b":{"c":2}}"#, &[r#""a":1"#, r#""b":{"c":2}"#]),
            ("[[[]]]", &["[[]]"]),
        ];
        for (text, members) in expected {
            assert_eq!(split(text).as_deref(), Some(members), "{text}");
        }
        let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(split(&deep).unwrap().len(), 1);
        for broken in
            ["[1,,2]", "[1,]", "[,]", "", "7", "[", "[1", "[1}", "{\"a\":1]", "[1]]", "[1] x", "[\"1]", "]"]
        {
            assert_eq!(split(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_field_has_a_name_and_a_value() {
        let field = |text| name_and_value(text).map(|(name, value)| (name.into_owned(), value));
        assert_eq!(field(br#""a:b" : {"c":1}"#), Some(("a:b".to_owned(), &br#"{"c":1}"#[..])));
        assert_eq!(field(br#""\u0061":NaN"#), Some(("a".to_owned(), &b"NaN"[..])));
        for none in [&b"7"[..], b"a:1", b"", b"\"a\"", b"\"a\" \"b\":1"] {
            assert_eq!(field(none), None);
        }
    }

    #[test]
    fn what_is_no_number_reads_as_null_outside_of_strings() {
        for (text, plain) in [
            (r#"{"a":NaN,"b":-Infinity,"c":[Infinity]}"#, r#"{"a":null,"b":null,"c":[null]}"#),
            (r#"["NaN","\"Infinity",NaN]"#, r#"["NaN","\"Infinity",null]"#),
            ("NaN", "null"),
            (
                "[NaNx,xNaN,--Infinity,NaN1,\u{e9}NaN,NaN\u{e9},NaNNaN]",
                "[NaNx,xNaN,--Infinity,NaN1,\u{e9}NaN,NaN\u{e9},NaNNaN]",
            ),
            ("[1,null]", "[1,null]"),
        ] {
            assert_eq!(without_non_numbers(text), plain);
        }
        assert!(matches!(without_non_numbers("[1]"), Cow::Borrowed(_)));
    }
}
