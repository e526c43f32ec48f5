//! What a conversation may be called: the beginning of what its user said, or what a model answered when asked for a title.

use serde_json::{Map, Value};

use crate::domain::{Prompt, Title, is_visible, turns_direction};

/// The most characters of a title made of a message, and of one that a model gave.
const FIRST_WORDS: usize = 40;
const LONGEST: usize = 80;
/// How thoughts begin that stand in the text itself.
const OPENING: [&str; 9] = [
    "<think",
    "<thought",
    "<reason",
    "<seed:think",
    "<analysis",
    "[think]",
    "◁think▷",
    "<|channel|>analysis",
    "<|begin_of_thought|>",
];
/// How they end.
const CLOSING: [&str; 11] = [
    "</think>",
    "</thinking>",
    "</thought>",
    "</thoughts>",
    "</reasoning>",
    "</seed:think>",
    "</analysis>",
    "[/think]",
    "◁/think▷",
    "<|channel|>final<|message|>",
    "<|end_of_thought|>",
];
/// What the field of a title is called in JSON, best first.
const NAMES: [&str; 5] = ["title", "name", "topic", "subject", "headline"];
/// What stands around titles that models give.
const ORNAMENTS: [char; 13] = ['"', '\'', '“', '”', '‘', '’', '「', '」', '[', ']', '(', ')', '.'];

/// A title for a conversation that begins with this message: its first line with words, cut short, without the marks of
/// Markdown.
#[must_use]
pub fn title_of(prompt: &Prompt) -> Title {
    let lines = || prompt.as_str().lines().map(str::trim).filter(|line| !line.is_empty());
    let has_words = |line: &String| line.chars().any(char::is_alphanumeric);
    let plain = lines().filter(|line| !is_fence(line)).map(without_marks).find(has_words);
    let line = plain.or_else(|| lines().next().map(ToOwned::to_owned)).unwrap_or_default();
    short(&line, FIRST_WORDS).unwrap_or_else(Title::untitled)
}

/// The title in a model's answer: behind its thoughts, inside its JSON, without ornaments.
pub(super) fn title_in(said: &str) -> Option<Title> {
    let said = behind_thoughts(said)?.trim();
    let line = match in_json(said).or_else(|| in_later_json(said)) {
        Some(title) => title,
        None => behind_preface(said)
            .lines()
            .map(within_tags)
            .find(|line| !line.is_empty() && !is_fence(line))?
            .to_owned(),
    };
    let line = without_marks(&line);
    let line = without_label(line.trim_matches(ORNAMENTS)).trim().trim_matches(ORNAMENTS).trim();
    if line.starts_with('{') { None } else { short(line, LONGEST) }
}

/// What comes behind the thoughts that stand in a text; nothing, when they do not end.
pub(super) fn behind_thoughts(said: &str) -> Option<&str> {
    let lower = said.to_ascii_lowercase();
    let ends = CLOSING.iter().filter_map(|tag| lower.rfind(tag).map(|start| start + tag.len()));
    let rest = said.get(ends.max().unwrap_or_default()..)?;
    if has_thoughts(rest) { None } else { Some(rest) }
}

/// Whether a text begins with thoughts.
pub(super) fn has_thoughts(said: &str) -> bool {
    let beginning: String = said.trim_start().chars().take(24).collect::<String>().to_ascii_lowercase();
    OPENING.iter().any(|tag| beginning.starts_with(tag))
}

/// The title in JSON, which may stand in a fence.
fn in_json(said: &str) -> Option<String> {
    let start = said.find(['{', '[', '"']).filter(|start| {
        let before = said.get(..*start).unwrap_or_default().trim();
        before.is_empty() || is_fence(before)
    })?;
    let value = serde_json::Deserializer::from_str(said.get(start..)?).into_iter::<Value>().next()?.ok()?;
    first_text(&value)
}

/// The title in an object behind a preface, if a field of it is called so.
fn in_later_json(said: &str) -> Option<String> {
    let starts = said.match_indices('{').take(4);
    let objects = starts.filter_map(|(start, _)| {
        serde_json::Deserializer::from_str(said.get(start..)?).into_iter::<Value>().next()?.ok()
    });
    objects.into_iter().find_map(|object| named_text(object.as_object()?))
}

/// What a preface announces: the inside of `<title>`, or of a fence behind a colon.
fn behind_preface(said: &str) -> &str {
    if let Some((_, (title, _))) =
        said.split_once("<title>").and_then(|(before, rest)| Some((before, rest.split_once("</title>")?)))
    {
        return title.trim();
    }
    let announced = |(preface, _): &(&str, &str)| preface.trim_end().ends_with([':', '：']);
    let fenced = said.split_once("\n```").filter(announced).and_then(|(_, rest)| rest.split_once('\n'));
    fenced.map_or(said, |(_language, inside)| inside)
}

/// A line without a tag around it; nothing where it is a tag alone.
fn within_tags(line: &str) -> &str {
    let line = line.trim();
    let opened = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    let Some((tag, inner)) = opened else { return line };
    let is_name =
        |tag: &str| !tag.is_empty() && tag.chars().all(|c| c.is_ascii_alphanumeric() || "_-|".contains(c));
    if !is_name(tag.strip_prefix('/').unwrap_or(tag)) {
        return line;
    }
    let closed = inner.rsplit_once("</").or_else(|| inner.rsplit_once("<|"));
    match closed {
        _ if inner.is_empty() => "",
        Some((inner, end)) if end.strip_suffix('>').is_some_and(is_name) => inner.trim(),
        _ => line,
    }
}

/// The text that is called a title; otherwise the longest of an object and the first of a list.
fn first_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.iter().find_map(first_text),
        Value::Object(fields) => named_text(fields)
            .or_else(|| fields.values().filter_map(first_text).max_by_key(|text| text.chars().count())),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The text of the field that is called a title.
fn named_text(fields: &Map<String, Value>) -> Option<String> {
    let is_called = |field: &str, name: &str| field == name || (name == "title" && field.contains(name));
    NAMES.into_iter().find_map(|name| {
        let (_, value) = fields.iter().find(|(field, _)| is_called(&field.to_lowercase(), name))?;
        first_text(value)
    })
}

/// Whether a line begins or ends a fence; one that does both holds a text.
fn is_fence(line: &str) -> bool {
    line.strip_prefix("```").is_some_and(|rest| !rest.contains("```")) || line.starts_with("~~~")
}

/// A line without the marks of Markdown: of headings, lists and quotations, of emphasis, of code, of links.
fn without_marks(line: &str) -> String {
    let mut line = line.trim();
    while let Some(rest) = without_block_mark(line) {
        line = rest.trim_start();
    }
    let line = without_links(line).replace("**", "").replace("~~", "").replace('`', "");
    let words = line.split_whitespace().map(|word| match word.trim_matches(['*', '_']) {
        "" => word,
        word => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn without_block_mark(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix('>') {
        return Some(rest);
    }
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_short = (1..=3).contains(&(line.len() - digits.len()));
    let number = || digits.strip_prefix(['.', ')']).filter(|_| is_short);
    let heading = || Some(line.trim_start_matches('#')).filter(|rest| rest.len() < line.len());
    let rest = line.strip_prefix(['-', '*', '+']).or_else(heading).or_else(number)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

fn without_links(line: &str) -> String {
    let (mut plain, mut rest) = (String::new(), line);
    while let Some((before, label, behind)) = link(rest) {
        plain.push_str(before.strip_suffix('!').unwrap_or(before));
        plain.push_str(label);
        rest = behind;
    }
    plain + rest
}

/// What is before the first link, what it is called, and what is behind it.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (head, behind) = text.split_once("](")?;
    let (before, label) = head.rsplit_once('[')?;
    let (_address, behind) = behind.split_once(')')?;
    Some((before, label, behind))
}

/// A title without the word for it.
fn without_label(line: &str) -> &str {
    let label = line.get(..5).is_some_and(|label| label.eq_ignore_ascii_case("title"));
    let rest = if label { line.get(5..) } else { line.strip_prefix("标题") };
    rest.and_then(|rest| rest.trim_start().strip_prefix([':', '：'])).unwrap_or(line)
}

/// So many characters of a line, if they are a title that can be seen: none that control anything, or turn the direction of others.
fn short(line: &str, most: usize) -> Option<Title> {
    let may_stand = |c: &char| !c.is_control() && !turns_direction(*c);
    let short: String = line.chars().filter(may_stand).take(most).collect();
    Title::try_from(short.trim().to_owned()).ok().filter(|title| is_visible(title.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_of_a_model_is_found_behind_thoughts_and_inside_json() {
        let text = |said: &str| title_in(said).map(String::from);
        let sky = Some("Sky colour".to_owned());
        for said in [
            "Sky colour",
            "\n \"Sky colour.\"\nMore",
            "# **Sky colour**",
            "Title: \"Sky colour\"",
            "**Title:** *Sky colour*",
            "<think>\nThe user asks.\n</think>\n\nSky colour",
            "The user asks.\n</think>Sky colour",
            "<thinking>x</thinking>\n```json\n{\"title\": \"Sky colour\"}\n```",
            "[THINK]x[/THINK] Sky colour",
            "<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>final<|message|>Sky colour",
            "```json\n{\"title\": \"Sky colour\"}\n```",
            "```\nSky colour\n```",
            "{\"lang\": \"en\", \"Title\": \"Sky colour\"}",
            "{\"result\": {\"name\": \"Sky colour\"}} and more",
            "[\"Sky colour\", \"Blue\"]",
            "[Sky colour](https://example.com)",
            "`Sky colour`",
            "Here is the title:\n```json\n{\"title\":\"Sky colour\"}\n```",
            "Here is the title:\n```\nSky colour\n```",
            "Sure! {\"title\": \"Sky colour\"}",
            "```Sky colour```",
            "<title>Sky colour</title>",
            "<title>\nSky colour\n</title>",
            "Sure: <title>Sky colour</title>",
            "<|begin_of_thought|>x<|end_of_thought|>Sky colour",
            "<|begin_of_thought|>x<|end_of_thought|>\n<|begin_of_solution|>Sky colour<|end_of_solution|>",
            "{\"language\":\"en\",\"topic\":\"Sky colour\"}",
            "{\"language\":\"en\",\"what\":\"Sky colour\"}",
            "{\"description\":\"A longer text\",\"subject\":\"Sky colour\"}",
            "Sky \u{202e}colour\u{2069}",
        ] {
            assert_eq!(text(said), sky, "{said}");
        }
        assert_eq!(text(&"x".repeat(500)).unwrap().len(), LONGEST);
        for said in
            [" \n\"\"", "", "<think>\nHm", "```json\n```", "{\"title\": \"Sky", "{}", "\u{200b}", "\u{202e}"]
        {
            assert_eq!(text(said), None, "{said}");
        }
    }

    #[test]
    fn the_first_words_of_a_user_have_no_marks() {
        let first = |said: &str| String::from(title_of(&said.parse().unwrap()));
        for (said, title) in [
            ("\n# Why is the **sky** `blue`?\nTell me", "Why is the sky blue?"),
            ("> 1. [x](https://y) and ![z](w)", "x and z"),
            ("```rust\nfn main() {}\n```", "fn main() {}"),
            ("---\n- *one* __two__ snake_case 2*3 * 4", "one two snake_case 2*3 * 4"),
            ("#rust and C#", "#rust and C#"),
            ("1984 is a book", "1984 is a book"),
            ("a\tb\u{202e}c", "a bc"),
            ("***", "***"),
            ("😀", "😀"),
        ] {
            assert_eq!(first(said), title, "{said}");
        }
        assert_eq!(first(&"好".repeat(100)).chars().count(), FIRST_WORDS);
    }
}
