//! OpenAI's Chat Completions API, which OpenAI, Ollama, vLLM, llama.cpp, OpenRouter, DeepSeek and others serve.

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::entry::{Capability, Entry};
use super::reply_text::TextKind;
use super::settings::ProviderAccount;
use super::transport::lenient_json::Json;
use super::transport::provider_error;
use super::transport::stream::Protocol;
use super::transport::stream_state::StreamState;
use super::{Piece, PromptMessage, Question};
use crate::domain::Usage;

/// The base URL of OpenAI.
pub(super) const HOME: &str = "https://api.openai.com/v1";

pub(super) fn request(
    client: &Client,
    account: &ProviderAccount,
    entry: &Entry,
    question: &Question,
) -> RequestBuilder {
    let request = client.post(account.url("chat/completions"));
    account.key.bearer(request).json(&body(entry, question))
}

fn body(entry: &Entry, question: &Question) -> Value {
    let message =
        |message: &PromptMessage| json!({"role": message.role, "content": message.content.as_str()});
    let messages: Vec<Value> = question.sent_messages().map(message).collect();
    // The limit of models that reason includes reasoning, and so has another name.
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

/// Reads the chunks of a streamed completion.
#[derive(Default)]
pub(super) struct Chunks {
    state: StreamState,
    /// Whether a delta contained text.
    has_delta_text: bool,
}

impl Protocol for Chunks {
    fn event(&mut self, event: Json<'_>) -> Vec<Piece> {
        if let Some(failure) = provider_error::in_event(event) {
            return self.state.fail(failure);
        }
        if !is_chunk(event) {
            self.state.note_unknown_event();
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

    fn state(&mut self) -> &mut StreamState {
        &mut self.state
    }
}

impl Chunks {
    fn choice(&mut self, choice: Json<'_>) -> Vec<Piece> {
        let delta = choice.get("delta").filter(|delta| !delta.is_empty());
        if let Some(failure) = [Some(choice), delta].into_iter().flatten().find_map(provider_error::in_event)
        {
            return self.state.fail(failure);
        }
        let message = choice.get("message").filter(|message| !message.is_empty());
        let mut pieces = match (delta, message) {
            (Some(delta), _) => {
                let pieces = self.message(delta);
                self.has_delta_text |= pieces.iter().any(|piece| matches!(piece, Piece::Text { .. }));
                pieces
            }
            // Some servers repeat the whole text after the deltas.
            (None, _) if self.has_delta_text => Vec::new(),
            (None, Some(message)) => self.message(message),
            // A text beside a delta or a message is the same text.
            (None, None) => self.state.take(choice.get("text"), TextKind::Answer),
        };
        self.state.finish(choice.get("finish_reason"));
        pieces.extend(choice.get("usage").filter(|usage| usage.is_object()).map(|usage| self.count(usage)));
        pieces
    }

    fn message(&mut self, message: Json<'_>) -> Vec<Piece> {
        let names = ["reasoning_content", "reasoning", "thinking", "reasoning_details"];
        let reasoning = names.into_iter().filter_map(|name| message.get(name)).find(|text| !text.is_blank());
        let mut pieces = self.state.take(reasoning, TextKind::Reasoning);
        let is_thought = message.get("thought").is_some_and(Json::is_true);
        let kind = if is_thought { TextKind::Reasoning } else { TextKind::Answer };
        pieces.extend(self.state.take(message.get("content"), kind));
        // A refusal is the answer to show.
        pieces.extend(self.state.take(message.get("refusal"), TextKind::Answer));
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
        self.state.count(Usage { input, cached, cache_written: 0, output })
    }
}

fn index(choice: Json<'_>) -> u64 {
    choice.get("index").and_then(Json::count).unwrap_or_default()
}

/// Whether an event is a chunk of the protocol, a ping, or empty.
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

    /// The text, the end and the usage of a stream whose connection closes after `events`.
    fn read(events: &[&str]) -> (String, Option<Finish>, Option<Usage>) {
        let mut chunks = Chunks::default();
        let mut pieces: Vec<Piece> =
            events.iter().flat_map(|data| chunks.take(&Event::of((*data).to_owned()))).collect();
        pieces.extend(chunks.state().end());
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
    fn text_is_taken_once_whichever_field_holds_it() {
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
            // Events without blank lines between them.
            vec![[A, B, "[DONE]"].join("\n").as_str()],
        ] {
            let (text, finish, _) = read(&events);
            assert_eq!((text.as_str(), finish), ("ab", Some(Finish::Stop)), "{events:?}");
        }
    }

    #[test]
    fn an_interrupted_text_is_not_complete() {
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
    fn tokens_counted_before_the_last_text_are_not_final() {
        let usage = |output: u64| {
            format!(r#"{{"choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":{output}}}}}"#)
        };
        assert_eq!(read(&[&usage(1), A, STOP]).2, None);
        assert_eq!(read(&[&usage(1), A, STOP, &usage(0)]).2, None);
        assert_eq!(read(&[&usage(1), A, STOP, &usage(4)]).2.map(|usage| usage.output), Some(4));
    }
}
