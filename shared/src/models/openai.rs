//! OpenAI's chat completions, as OpenAI, Ollama, vLLM, llama.cpp, OpenRouter, DeepSeek and others serve them.

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::catalogue::{Capability, Entry};
use super::settings::Account;
use super::speech::Voice;
use super::transport::course::Course;
use super::transport::loose::Json;
use super::transport::provider_error;
use super::transport::stream::Protocol;
use super::{Piece, Question};
use crate::domain::Usage;

/// Where OpenAI itself is.
pub(super) const HOME: &str = "https://api.openai.com/v1";

pub(super) fn request(
    client: &Client,
    account: &Account,
    entry: &Entry,
    question: &Question,
) -> RequestBuilder {
    let request = client.post(account.address("chat/completions"));
    account.key.bearer(request).json(&body(entry, question))
}

fn body(entry: &Entry, question: &Question) -> Value {
    let messages: Vec<Value> =
        question.said().map(|said| json!({"role": said.role, "content": said.content.as_str()})).collect();
    // Those that reason count that too, and so have another name for it.
    let limit = if entry.can(Capability::Reasoning) { "max_completion_tokens" } else { "max_tokens" };
    let mut body = json!({
        "model": entry.upstream(),
        "messages": messages,
        "stream": true,
        "stream_options": {"include_usage": true},
        limit: question.max_tokens_of(entry),
    });
    if entry.can(Capability::Temperature)
        && let Some(body) = body.as_object_mut()
    {
        body.insert("temperature".to_owned(), json!(question.params.temperature()));
    }
    body
}

/// What has been understood of a stream.
#[derive(Default)]
pub(super) struct Chunks {
    course: Course,
    /// Whether text came in a delta.
    has_spoken: bool,
}

impl Protocol for Chunks {
    fn event(&mut self, event: Json<'_>) -> Vec<Piece> {
        if let Some(failure) = provider_error::in_event(event) {
            return self.course.fail(failure);
        }
        if !is_chunk(event) {
            self.course.note_oddity();
            return Vec::new();
        }
        let choices = event.get("choices").map(Json::items).unwrap_or_default();
        let mut pieces = Vec::new();
        for choice in choices.into_iter().filter(|choice| index(*choice) == 0) {
            pieces.extend(self.choice(choice));
        }
        let usage = event.get("usage").or_else(|| event.get("x_groq")?.get("usage"));
        pieces.extend(usage.filter(|usage| usage.is_object()).map(|usage| self.count(usage)));
        pieces
    }

    fn course(&mut self) -> &mut Course {
        &mut self.course
    }
}

impl Chunks {
    fn choice(&mut self, choice: Json<'_>) -> Vec<Piece> {
        let delta = choice.get("delta").filter(|delta| !delta.is_empty());
        if let Some(failure) = [Some(choice), delta].into_iter().flatten().find_map(provider_error::in_event)
        {
            return self.course.fail(failure);
        }
        let message = choice.get("message").filter(|message| !message.is_empty());
        let mut pieces = match (delta, message) {
            (Some(delta), _) => {
                let pieces = self.message(delta);
                self.has_spoken |= pieces.iter().any(|piece| matches!(piece, Piece::Text { .. }));
                pieces
            }
            // At the end of a stream of deltas, some servers repeat the whole text.
            (None, _) if self.has_spoken => Vec::new(),
            (None, Some(message)) => self.message(message),
            // Servers that send text beside a delta or a message say the same in both.
            (None, None) => self.course.take(choice.get("text"), Voice::Aloud),
        };
        self.course.finish(choice.get("finish_reason"));
        pieces.extend(choice.get("usage").filter(|usage| usage.is_object()).map(|usage| self.count(usage)));
        pieces
    }

    fn message(&mut self, message: Json<'_>) -> Vec<Piece> {
        let names = ["reasoning_content", "reasoning", "thinking", "reasoning_details"];
        let thoughts = names.into_iter().filter_map(|name| message.get(name)).find(|said| !said.is_nothing());
        let mut pieces = self.course.take(thoughts, Voice::Thought);
        let is_thought = message.get("thought").is_some_and(Json::is_true);
        let voice = if is_thought { Voice::Thought } else { Voice::Aloud };
        pieces.extend(self.course.take(message.get("content"), voice));
        // What the model refuses with is its answer.
        pieces.extend(self.course.take(message.get("refusal"), Voice::Aloud));
        pieces
    }

    fn count(&mut self, usage: Json<'_>) -> Piece {
        let count = |names: [&str; 2]| names.into_iter().find_map(|name| usage.get(name)?.count());
        let output = count(["completion_tokens", "output_tokens"]).unwrap_or_default();
        let total = || usage.get("total_tokens")?.count().map(|total| total.saturating_sub(output));
        let input = count(["prompt_tokens", "input_tokens"]).or_else(total).unwrap_or_default();
        let details =
            usage.get("prompt_tokens_details").and_then(|details| details.get("cached_tokens")?.count());
        let cached = details.unwrap_or_default().min(input);
        self.course.count(Usage { input, cached, cache_written: 0, output })
    }
}

fn index(choice: Json<'_>) -> u64 {
    choice.get("index").and_then(Json::count).unwrap_or_default()
}

/// Whether an event is one that the protocol knows, or says nothing at all.
fn is_chunk(event: Json<'_>) -> bool {
    let is_named =
        |name: &str, value: &str| event.get(name).and_then(Json::text).is_some_and(|text| text == value);
    event.is_object()
        && (event.has("choices")
            || event.has("usage")
            || event.is_empty()
            || is_named("object", "chat.completion.chunk")
            || is_named("type", "ping"))
}

#[cfg(test)]
mod tests {
    use super::super::Finish;
    use super::super::transport::sse::Event;
    use super::*;

    /// The text of a stream, and how it ends when the connection closes.
    fn read(events: &[&str]) -> (String, Option<Finish>, Option<Usage>) {
        let mut chunks = Chunks::default();
        let mut pieces: Vec<Piece> =
            events.iter().flat_map(|data| chunks.take(&Event::of((*data).to_owned()))).collect();
        pieces.extend(chunks.course().end());
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text { text: more, .. } => text.push_str(&more),
                Piece::End { finish, usage } => return (text, Some(finish), usage),
                Piece::Failed(_) => return (text, None, None),
                _ => {}
            }
        }
        panic!("no end: {events:?}");
    }

    const A: &str = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
    const B: &str = r#"{"choices":[{"delta":{"content":"b"}}]}"#;
    const STOP: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;

    #[test]
    fn text_is_taken_once_wherever_it_stands() {
        let both = r#"{"choices":[{"index":0,"text":"a","delta":{"content":"a"}}]}"#;
        let messages =
            [r#"{"choices":[{"message":{"content":"a"}}]}"#, r#"{"choices":[{"message":{"content":"b"}}]}"#];
        let texts = [r#"{"choices":[{"text":"a"}]}"#, r#"{"choices":[{"delta":{},"text":"b"}]}"#];
        let repeat = r#"{"choices":[{"message":{"content":"ab"},"text":"ab"}]}"#;
        let early = r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#;
        for events in [
            vec![both, B, STOP],
            vec![messages[0], messages[1], STOP],
            vec![texts[0], texts[1], STOP],
            vec![A, B, repeat, STOP],
            vec![early, B],
            vec![A, "ping", ": heartbeat", "[{\"choices\":null}]", B, STOP, "\"[DONE]\""],
            vec!["\u{feff}\u{feff}{}", A, B, "\"[DONE]\""],
            // Without blank lines between them.
            vec![[A, B, "[DONE]"].join("\n").as_str()],
        ] {
            let (text, finish, _) = read(&events);
            assert_eq!((text.as_str(), finish), ("ab", Some(Finish::Stop)), "{events:?}");
        }
    }

    #[test]
    fn half_a_text_is_not_complete() {
        let no_reason = |name: &str| format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{name}"}}]}}"#);
        for more in [
            "keep-alive",
            r#"{"choices":[{"delta":{},"finish_reason":null}],"x_groq":{"error":"over_capacity"}}"#,
            r#"{"choices":[],"code":500,"message":"Internal error"}"#,
            r#"{"type":"server_error"}"#,
            "{\"choices\":\n[DONE]",
        ] {
            assert_eq!(read(&[A, more, "[DONE]"]), ("a".to_owned(), None, None), "{more}");
        }
        assert_eq!(read(&[A, &no_reason("null"), &no_reason("None")]).1, None);
        assert_eq!(read(&[A, &no_reason("none"), STOP]).1, Some(Finish::Stop));
    }

    #[test]
    fn what_is_counted_before_the_text_is_not_all_of_it() {
        let usage = |output: u64| {
            format!(r#"{{"choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":{output}}}}}"#)
        };
        assert_eq!(read(&[&usage(1), A, STOP]).2, None);
        assert_eq!(read(&[&usage(1), A, STOP, &usage(0)]).2, None);
        assert_eq!(read(&[&usage(1), A, STOP, &usage(4)]).2.map(|usage| usage.output), Some(4));
    }
}
