//! Titles out of text: the first words of a user's message, or the title in a model's answer.

use serde_json::{Map, Value};

use crate::domain::{Prompt, Title, is_visible, turns_direction};

/// The most characters of a title made of a user's message.
const FIRST_WORDS: usize = 40;
/// The most characters of a title that a model gave.
const MAX_CHARS: usize = 80;
/// The tags with which reasoning begins, from models that put it into the text.
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
/// The tags with which reasoning ends.
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
/// Names of JSON fields that hold a title, best first.
const NAMES: [&str; 5] = ["title", "name", "topic", "subject", "headline"];
/// Characters that models put around a title.
const SURROUNDING: [char; 13] = ['"', '\'', '“', '”', '‘', '’', '「', '」', '[', ']', '(', ')', '.'];

/// The title of a conversation that begins with this message: the first line that has words, without Markdown, cut to
/// 40 characters.
#[must_use]
pub fn title_of(prompt: &Prompt) -> Title {
    let lines = || prompt.as_str().lines().map(str::trim).filter(|line| !line.is_empty());
    let has_words = |line: &String| line.chars().any(char::is_alphanumeric);
    let plain = lines().filter(|line| !is_fence(line)).map(without_markdown).find(has_words);
    let line = plain.or_else(|| lines().next().map(ToOwned::to_owned)).unwrap_or_default();
    short(&line, FIRST_WORDS).unwrap_or_else(Title::untitled)
}

/// The title in a model's answer, without reasoning, JSON, Markdown and quotation marks around it. `None` when there is
/// none.
pub(super) fn title_in(answer: &str) -> Option<Title> {
    let answer = after_reasoning(answer)?.trim();
    let line = match in_json(answer).or_else(|| in_later_json(answer)) {
        Some(title) => title,
        None => after_preface(answer)
            .lines()
            .map(within_tags)
            .find(|line| !line.is_empty() && !is_fence(line))?
            .to_owned(),
    };
    let line = without_markdown(&line);
    let line = without_label(line.trim_matches(SURROUNDING)).trim().trim_matches(SURROUNDING).trim();
    if line.starts_with('{') { None } else { short(line, MAX_CHARS) }
}

/// The text after the reasoning in a text. `None` when the reasoning does not end.
pub(super) fn after_reasoning(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let ends = CLOSING.iter().filter_map(|tag| lower.rfind(tag).map(|start| start + tag.len()));
    let rest = text.get(ends.max().unwrap_or_default()..)?;
    if begins_with_reasoning(rest) { None } else { Some(rest) }
}

/// Whether a text begins with a tag of reasoning.
pub(super) fn begins_with_reasoning(text: &str) -> bool {
    let beginning: String = text.trim_start().chars().take(24).collect::<String>().to_ascii_lowercase();
    OPENING.iter().any(|tag| beginning.starts_with(tag))
}

/// The title in JSON at the beginning of a text, which may be in a code fence.
fn in_json(text: &str) -> Option<String> {
    let start = text.find(['{', '[', '"']).filter(|start| {
        let before = text.get(..*start).unwrap_or_default().trim();
        before.is_empty() || is_fence(before)
    })?;
    let value = serde_json::Deserializer::from_str(text.get(start..)?).into_iter::<Value>().next()?.ok()?;
    first_text(&value)
}

/// The title in a JSON object after a preface, if a field of the object has a name of a title.
fn in_later_json(text: &str) -> Option<String> {
    let starts = text.match_indices('{').take(4);
    let objects = starts.filter_map(|(start, _)| {
        serde_json::Deserializer::from_str(text.get(start..)?).into_iter::<Value>().next()?.ok()
    });
    objects.into_iter().find_map(|object| named_text(object.as_object()?))
}

/// The text that a preface announces: inside `<title>`, or in a code fence after a colon. Otherwise the whole text.
fn after_preface(text: &str) -> &str {
    if let Some((_, (title, _))) =
        text.split_once("<title>").and_then(|(before, rest)| Some((before, rest.split_once("</title>")?)))
    {
        return title.trim();
    }
    let announced = |(preface, _): &(&str, &str)| preface.trim_end().ends_with([':', '：']);
    let fenced = text.split_once("\n```").filter(announced).and_then(|(_, rest)| rest.split_once('\n'));
    fenced.map_or(text, |(_language, inside)| inside)
}

/// A line without a tag around it. Empty when the line is only a tag.
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

/// The text of a field that has a name of a title; otherwise the longest text of an object, or the first of a list.
fn first_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.iter().find_map(first_text),
        Value::Object(fields) => named_text(fields)
            .or_else(|| fields.values().filter_map(first_text).max_by_key(|text| text.chars().count())),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The text of the first field that has a name of a title.
fn named_text(fields: &Map<String, Value>) -> Option<String> {
    let has_name = |field: &str, name: &str| field == name || (name == "title" && field.contains(name));
    NAMES.into_iter().find_map(|name| {
        let (_, value) = fields.iter().find(|(field, _)| has_name(&field.to_lowercase(), name))?;
        first_text(value)
    })
}

/// Whether a line begins or ends a code fence. A line that does both is text.
fn is_fence(line: &str) -> bool {
    line.strip_prefix("```").is_some_and(|rest| !rest.contains("```")) || line.starts_with("~~~")
}

/// A line without the Markdown of headings, lists, quotations, emphasis, code and links.
fn without_markdown(line: &str) -> String {
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

/// A line without the mark of a heading, list or quotation at its beginning. `None` when there is no mark.
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

/// The text before the first link, the label of the link, and the text after it.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (head, behind) = text.split_once("](")?;
    let (before, label) = head.rsplit_once('[')?;
    let (_address, behind) = behind.split_once(')')?;
    Some((before, label, behind))
}

/// A title without the label `Title:`, in English or Chinese.
fn without_label(line: &str) -> &str {
    let label = line.get(..5).is_some_and(|label| label.eq_ignore_ascii_case("title"));
    let rest = if label { line.get(5..) } else { line.strip_prefix("标题") };
    rest.and_then(|rest| rest.trim_start().strip_prefix([':', '：'])).unwrap_or(line)
}

/// The first `max` characters of a line as a title, without control characters and characters that change the text
/// direction. `None` when nothing visible remains.
fn short(line: &str, max: usize) -> Option<Title> {
    let is_allowed = |c: &char| !c.is_control() && !turns_direction(*c);
    let text: String = line.chars().filter(is_allowed).take(max).collect();
    Title::try_from(text.trim().to_owned()).ok().filter(|title| is_visible(title.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_of_a_model_is_found_after_reasoning_and_inside_json() {
        let text = |answer: &str| title_in(answer).map(String::from);
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
        assert_eq!(text(&"x".repeat(500)).unwrap().len(), MAX_CHARS);
        for said in
            [" \n\"\"", "", "<think>\nHm", "```json\n```", "{\"title\": \"Sky", "{}", "\u{200b}", "\u{202e}"]
        {
            assert_eq!(text(said), None, "{said}");
        }
    }

    #[test]
    fn a_title_of_first_words_has_no_markdown() {
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
