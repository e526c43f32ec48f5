//! The text and the reasoning of a reply, in any of the forms in which providers send them.

use super::Piece;
use super::transport::lenient_json::Json;
use super::transport::text_joiner::TextJoiner;
use crate::domain::usage::Estimate;

/// No provider nests parts deeper.
const MAX_DEPTH: u32 = 8;
/// The fields of a part that hold its text, or more parts.
const TEXT_FIELDS: [&str; 9] = [
    "text",
    "content",
    "refusal",
    "value",
    "thinking",
    "reasoning",
    "reasoning_content",
    "thought",
    "summary",
];
/// Words in the type of a part that holds reasoning, or in the name of a field that does.
const REASONING_WORDS: [&str; 4] = ["think", "reason", "thought", "analysis"];

/// Whether a text is part of the answer, or of the reasoning before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextKind {
    Answer,
    Reasoning,
}

/// Reads the texts of a reply and estimates their tokens.
#[derive(Debug, Default)]
pub(super) struct ReplyText {
    estimate: Estimate,
    text: TextJoiner,
    reasoning: TextJoiner,
}

impl ReplyText {
    /// The pieces in `value`: a text, a part with a type, or a list of them. Parts that hold reasoning are recognised
    /// by their type or their fields; other texts are of `kind`.
    pub(super) fn take(&mut self, value: Option<Json<'_>>, kind: TextKind) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if let Some(value) = value {
            self.collect(value, kind, MAX_DEPTH, &mut pieces);
        }
        pieces
    }

    fn collect(&mut self, value: Json<'_>, kind: TextKind, depth: u32, pieces: &mut Vec<Piece>) {
        let Some(depth) = depth.checked_sub(1) else { return };
        if let Some(bytes) = value.bytes() {
            let joiner = match kind {
                TextKind::Answer => &mut self.text,
                TextKind::Reasoning => &mut self.reasoning,
            };
            let text = joiner.take(&bytes);
            pieces.extend(self.piece(text, kind));
        } else if value.is_list() {
            value.items().into_iter().for_each(|part| self.collect(part, kind, depth, pieces));
        } else {
            let part_type = value.get("type").and_then(Json::text).unwrap_or_default().to_ascii_lowercase();
            let found = |name: &&'static str| Some((*name, value.get(name).filter(|text| !text.is_blank())?));
            if let Some((name, inside)) = TEXT_FIELDS.iter().find_map(found) {
                let is_named =
                    REASONING_WORDS.iter().any(|word| part_type.contains(word) || name.contains(word));
                let is_reasoning = is_named || value.get("thought").is_some_and(Json::is_true);
                let kind = if is_reasoning { TextKind::Reasoning } else { kind };
                self.collect(inside, kind, depth, pieces);
            }
        }
    }

    /// Replacement characters for characters whose rest never arrived.
    pub(super) fn end(&mut self) -> Vec<Piece> {
        let (reasoning, text) = (self.reasoning.end().to_owned(), self.text.end().to_owned());
        let reasoning = self.piece(reasoning, TextKind::Reasoning);
        reasoning.into_iter().chain(self.piece(text, TextKind::Answer)).collect()
    }

    fn piece(&mut self, text: String, kind: TextKind) -> Option<Piece> {
        if text.is_empty() {
            return None;
        }
        let tokens = self.estimate.take(&text);
        Some(match kind {
            TextKind::Answer => Piece::Text { text, tokens },
            TextKind::Reasoning => Piece::Reasoning { text, tokens },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> (String, String) {
        let mut reply = ReplyText::default();
        let parsed = |text| Json::parse(text).unwrap();
        let mut pieces: Vec<Piece> =
            texts.iter().flat_map(|text| reply.take(parsed(text), TextKind::Answer)).collect();
        pieces.extend(reply.end());
        let (mut answer, mut reasoning) = (String::new(), String::new());
        for piece in pieces {
            match piece {
                Piece::Text { text, .. } => answer.push_str(&text),
                Piece::Reasoning { text, .. } => reasoning.push_str(&text),
                other => panic!("{other:?}"),
            }
        }
        (answer, reasoning)
    }

    #[test]
    fn text_and_reasoning_are_found_in_all_known_forms() {
        let thinking =
            r#"[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm \ud83d"}]}, null, 7]"#;
        let more = r#"{"type": "thinking_delta", "thinking": "\ude00."}"#;
        let text = r#"["It ", {"type": "text", "text": {"value": "is "}}, {"type": "tool_use", "input": {"text": 1}}]"#;
        let (answer, reasoning) =
            read(&[thinking, "\"\\ud83d\"", more, text, r#"{"type": "text_delta", "text": "42"}"#]);
        assert_eq!((answer.as_str(), reasoning.as_str()), ("\u{fffd}It is 42", "Hm 😀."));
    }

    #[test]
    fn reasoning_is_recognised_by_its_type_its_field_or_its_flag() {
        for part in [
            r#"{"type": "thought", "text": "Hm"}"#,
            r#"{"type": "Analysis", "content": "Hm"}"#,
            r#"{"thinking": "Hm"}"#,
            r#"{"text": "", "reasoning": [{"text": "Hm"}]}"#,
            r#"{"reasoning_content": "Hm"}"#,
            r#"{"thought": "Hm"}"#,
            r#"{"text": "Hm", "thought": true}"#,
        ] {
            assert_eq!(read(&[part, "\"42\""]), ("42".to_owned(), "Hm".to_owned()), "{part}");
        }
        assert_eq!(read(&[r#"{"text": "42", "thought": false, "thinking": null}"#]).0, "42");
    }

    #[test]
    fn parts_that_are_nested_too_deep_are_ignored() {
        let nested = format!("{}\"x\"{}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(read(&[&nested, "\"y\""]).0, "y");
    }
}
