//! Removes ChatGPT's citation marks from texts. A mark begins with U+E200 and ends with U+E201. In between are its
//! kind and, each after a U+E202, its parts.

const BEGIN: char = '\u{e200}';
const END: char = '\u{e201}';
const PART: char = '\u{e202}';

/// The text as ChatGPT's page shows it: names and links become plain text, and citations disappear.
pub(super) fn without_marks(text: String) -> String {
    if !text.contains(is_mark) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once(is_mark) {
        shown.push_str(before);
        let is_begin = rest.get(before.len()..).is_some_and(|rest| rest.starts_with(BEGIN));
        rest = behind;
        if is_begin {
            let (marked, after) = split_mark(behind);
            push(&mut shown, &label(marked), after);
            rest = after;
        }
    }
    shown.push_str(rest);
    if text.ends_with(is_mark) {
        shown.truncate(shown.trim_end_matches(' ').len());
    }
    shown
}

fn is_mark(c: char) -> bool {
    ('\u{e200}'..='\u{e2ff}').contains(&c)
}

/// Splits the content of a mark from the text after it. A mark without an end, as in a text that was cut off, ends with
/// its last name of a kind or source.
fn split_mark(text: &str) -> (&str, &str) {
    let end = text.find([BEGIN, END]).filter(|end| text.get(*end..).is_some_and(|it| it.starts_with(END)));
    if let Some((marked, after)) = end.and_then(|end| text.split_at_checked(end)) {
        return (marked, after.strip_prefix(END).unwrap_or(after));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == PART;
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// The text that ChatGPT's page shows in place of a mark.
fn label(marked: &str) -> String {
    let mut parts = marked.split(PART);
    let (kind, first, second) = (parts.next(), parts.next().unwrap_or_default(), parts.next());
    match kind {
        Some("entity") => {
            let fields: Vec<serde_json::Value> = serde_json::from_str(first).unwrap_or_default();
            let name = fields.get(1).and_then(serde_json::Value::as_str);
            name.unwrap_or_default().to_owned()
        }
        Some("url") => match second {
            Some(address) if address.starts_with("https://") || address.starts_with("http://") => {
                format!("[{first}]({address})")
            }
            _ => first.to_owned(),
        },
        _ => String::new(),
    }
}

/// Appends a label. If the label is empty and a space, punctuation or the end of a line follows, removes the space
/// before.
fn push(shown: &mut String, label: &str, after: &str) {
    shown.extend(label.chars().filter(|c| !is_mark(*c)));
    let is_gap = after.is_empty() || after.starts_with([' ', '\n', '.', ',', ';', ':', '!', '?', ')']);
    if label.is_empty() && is_gap {
        shown.truncate(shown.trim_end_matches(' ').len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        without_marks(text.to_owned())
    }

    #[test]
    fn a_citation_is_removed_with_its_content() {
        assert_eq!(shown("Paris. \u{e200}cite\u{e202}turn0search0\u{e202}turn0news12\u{e201}"), "Paris.");
        assert_eq!(shown("Paris \u{e200}cite\u{e202}turn0search0\u{e201}. Yes"), "Paris. Yes");
        assert_eq!(shown("One \u{e200}filecite\u{e202}turn0file1\u{e202}L1-L9\u{e201} two"), "One two");
        assert_eq!(shown("\u{e200}navlist\u{e202}News\u{e202}turn0news1,turn0news2\u{e201}\nText"), "\nText");
        assert_eq!(shown("a\u{e200}i\u{e202}turn0image0\u{e201}\u{e200}cite\u{e202}x\u{e201}b"), "ab");
    }

    #[test]
    fn names_and_links_are_kept_as_text() {
        let entity = "By \u{e200}entity\u{e202}[\"people\",\"Ada Lovelace\",0]\u{e201}, 1843";
        assert_eq!(shown(entity), "By Ada Lovelace, 1843");
        assert_eq!(
            shown("See \u{e200}url\u{e202}Docs\u{e202}https://a.example/b\u{e201}."),
            "See [Docs](https://a.example/b)."
        );
        assert_eq!(shown("See \u{e200}url\u{e202}Docs\u{e202}turn0search1\u{e201}."), "See Docs.");
        assert_eq!(shown("By \u{e200}entity\u{e202}not JSON\u{e201}."), "By.");
    }

    #[test]
    fn of_incomplete_marks_only_the_marks_are_removed() {
        assert_eq!(shown("Paris \u{e200}cite\u{e202}turn0search0 is large"), "Paris is large");
        assert_eq!(shown("Paris\u{e201} is\u{e202} large\u{e2ff}"), "Paris is large");
        assert_eq!(shown("a \u{e200}cite\u{e202}t1\u{e200}cite\u{e202}t2\u{e201} b"), "a b");
        assert_eq!(shown("\u{e200}"), "");
        for plain in ["", "x", "\u{e1ff}\u{e300}", " a \n"] {
            assert_eq!(shown(plain), plain);
        }
    }
}
