//! What a model says and thinks, out of the many forms in which providers send it.

use super::Piece;
use super::transport::cut_text::Mender;
use super::transport::loose::Json;
use crate::domain::usage::Estimate;

/// No provider puts parts into parts more often.
const DEEPEST: u32 = 8;
/// The fields of a part that hold its text, or more parts.
const TEXTS: [&str; 9] = [
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
/// What stands in the type of a part that is a thought, or in the name of the field that holds one.
const THOUGHTS: [&str; 4] = ["think", "reason", "thought", "analysis"];

/// Whether something is said or only thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    Aloud,
    Thought,
}

/// The texts of a reply, as far as they have come.
#[derive(Debug, Default)]
pub(super) struct Speech {
    estimate: Estimate,
    text: Mender,
    thoughts: Mender,
}

impl Speech {
    /// The pieces in `said`: a text, a part with a type, or a list of them. Parts that are thoughts say so themselves.
    pub(super) fn take(&mut self, said: Option<Json<'_>>, voice: Voice) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if let Some(said) = said {
            self.collect(said, voice, DEEPEST, &mut pieces);
        }
        pieces
    }

    fn collect(&mut self, said: Json<'_>, voice: Voice, depth: u32, pieces: &mut Vec<Piece>) {
        let Some(depth) = depth.checked_sub(1) else { return };
        if let Some(bytes) = said.bytes() {
            let mender = match voice {
                Voice::Aloud => &mut self.text,
                Voice::Thought => &mut self.thoughts,
            };
            let text = mender.take(&bytes);
            pieces.extend(self.piece(text, voice));
        } else if said.is_list() {
            said.items().into_iter().for_each(|part| self.collect(part, voice, depth, pieces));
        } else {
            let kind = said.get("type").and_then(Json::text).unwrap_or_default().to_ascii_lowercase();
            let found =
                |name: &&'static str| Some((*name, said.get(name).filter(|text| !text.is_nothing())?));
            if let Some((name, inside)) = TEXTS.iter().find_map(found) {
                let is_named = THOUGHTS.iter().any(|part| kind.contains(part) || name.contains(part));
                let is_thought = is_named || said.get("thought").is_some_and(Json::is_true);
                let voice = if is_thought { Voice::Thought } else { voice };
                self.collect(inside, voice, depth, pieces);
            }
        }
    }

    /// What is left of characters whose rest never came.
    pub(super) fn end(&mut self) -> Vec<Piece> {
        let (thought, text) = (self.thoughts.end().to_owned(), self.text.end().to_owned());
        let thought = self.piece(thought, Voice::Thought);
        thought.into_iter().chain(self.piece(text, Voice::Aloud)).collect()
    }

    fn piece(&mut self, text: String, voice: Voice) -> Option<Piece> {
        if text.is_empty() {
            return None;
        }
        let tokens = self.estimate.take(&text);
        Some(match voice {
            Voice::Aloud => Piece::Text { text, tokens },
            Voice::Thought => Piece::Reasoning { text, tokens },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(texts: &[&str]) -> (String, String) {
        let mut speech = Speech::default();
        let parsed = |text| Json::parse(text).unwrap();
        let mut pieces: Vec<Piece> =
            texts.iter().flat_map(|text| speech.take(parsed(text), Voice::Aloud)).collect();
        pieces.extend(speech.end());
        let (mut aloud, mut thought) = (String::new(), String::new());
        for piece in pieces {
            match piece {
                Piece::Text { text, .. } => aloud.push_str(&text),
                Piece::Reasoning { text, .. } => thought.push_str(&text),
                other => panic!("{other:?}"),
            }
        }
        (aloud, thought)
    }

    #[test]
    fn text_and_thoughts_are_found_in_whatever_form_they_come() {
        let thinking =
            r#"[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm \ud83d"}]}, null, 7]"#;
        let more = r#"{"type": "thinking_delta", "thinking": "\ude00."}"#;
        let text = r#"["It ", {"type": "text", "text": {"value": "is "}}, {"type": "tool_use", "input": {"text": 1}}]"#;
        let (aloud, thought) =
            said(&[thinking, "\"\\ud83d\"", more, text, r#"{"type": "text_delta", "text": "42"}"#]);
        assert_eq!((aloud.as_str(), thought.as_str()), ("\u{fffd}It is 42", "Hm 😀."));
    }

    #[test]
    fn a_thought_is_known_by_its_type_its_field_or_its_mark() {
        for part in [
            r#"{"type": "thought", "text": "Hm"}"#,
            r#"{"type": "Analysis", "content": "Hm"}"#,
            r#"{"thinking": "Hm"}"#,
            r#"{"text": "", "reasoning": [{"text": "Hm"}]}"#,
            r#"{"reasoning_content": "Hm"}"#,
            r#"{"thought": "Hm"}"#,
            r#"{"text": "Hm", "thought": true}"#,
        ] {
            assert_eq!(said(&[part, "\"42\""]), ("42".to_owned(), "Hm".to_owned()), "{part}");
        }
        assert_eq!(said(&[r#"{"text": "42", "thought": false, "thinking": null}"#]).0, "42");
    }

    #[test]
    fn parts_that_nest_without_end_are_left() {
        let nested = format!("{}\"x\"{}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(said(&[&nested, "\"y\""]).0, "y");
    }
}
