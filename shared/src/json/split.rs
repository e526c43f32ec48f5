//! Splits JSON texts into their members without parsing the members, so that one malformed member does not make the
//! others unreadable.

use std::borrow::Cow;

/// Python writes these names into JSON texts, although JSON has no such numbers.
const NON_NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// The elements of a JSON list or the fields of a JSON object, each as its text without surrounding white space.
/// Whether the members are JSON is not checked. `None` when the brackets of `text` do not match, or when a member is
/// empty.
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

/// The name and the value of a field that [`members`] returned; `None` when the text is not a field.
#[must_use]
pub fn name_and_value(field: &[u8]) -> Option<(Cow<'_, str>, &[u8])> {
    let (colon, _) = outside_strings(field).find(|(_, byte)| *byte == b':')?;
    let name: String = serde_json::from_slice(field.get(..colon)?).ok()?;
    Some((name.into(), field.get(colon + 1..)?.trim_ascii()))
}

/// `text` with each `NaN`, `Infinity` and `-Infinity` outside of strings replaced by null.
#[must_use]
pub fn without_non_numbers(text: &str) -> Cow<'_, str> {
    if !NON_NUMBERS.iter().any(|name| text.contains(name)) {
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
    let name = NON_NUMBERS.into_iter().find(|name| text.starts_with(name))?;
    let follows = text.as_bytes().get(name.len()).copied();
    (!follows.is_some_and(is_of_word)).then_some(name)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.' | b'_' | b'"') || !byte.is_ascii()
}

/// The bytes outside of strings, with their positions. The quotes around strings are included.
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
        let split = members(text.as_bytes())?;
        Some(split.into_iter().map(|member| str::from_utf8(member).unwrap()).collect())
    }

    #[test]
    fn members_are_split_at_the_commas_outside_of_strings_and_nested_values() {
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
    fn non_numbers_outside_of_strings_become_null() {
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
