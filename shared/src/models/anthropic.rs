//! Anthropic's Messages API.

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
use crate::domain::{Role, Usage};

/// The base URL of Anthropic.
pub(super) const HOME: &str = "https://api.anthropic.com";
const VERSION: &str = "2023-06-01";

pub(super) fn request(
    client: &Client,
    account: &ProviderAccount,
    entry: &Entry,
    question: &Question,
) -> RequestBuilder {
    let request = client.post(account.url("v1/messages")).header("anthropic-version", VERSION);
    account.key.header(request, "x-api-key").json(&body(entry, question))
}

fn body(entry: &Entry, question: &Question) -> Value {
    let mut body = json!({
        "model": entry.upstream(),
        "max_tokens": question.max_tokens_of(entry),
        "stream": true,
        "messages": messages(question.sent_messages()),
    });
    let Some(fields) = body.as_object_mut() else { return body };
    let system: Vec<&str> = system_prompts(question.sent_messages()).collect();
    if !system.is_empty() {
        fields.insert("system".to_owned(), json!([cached(&system.join("\n\n"))]));
    }
    if entry.can(Capability::Temperature) {
        // Anthropic accepts temperatures up to 1.
        fields.insert("temperature".to_owned(), json!(question.params.temperature().min(1.0)));
    }
    body
}

fn system_prompts<'a>(messages: impl Iterator<Item = &'a PromptMessage>) -> impl Iterator<Item = &'a str> {
    messages.filter(|message| message.role == Role::System).map(|message| message.content.as_str())
}

/// The messages in the form that Anthropic requires: consecutive messages of one role are merged, the first message is
/// the user's, and a final assistant's message does not end in white space. The next question begins with the same
/// messages, so the provider is asked to cache all of them.
fn messages<'a>(messages: impl Iterator<Item = &'a PromptMessage>) -> Vec<Value> {
    let mut turns: Vec<(Role, Vec<&str>)> = Vec::new();
    for message in messages.filter(|message| message.role != Role::System) {
        let text = message.content.as_str();
        match turns.last_mut() {
            Some((role, texts)) if *role == message.role => texts.push(text),
            None if message.role == Role::Assistant => {}
            _ => turns.push((message.role, vec![text])),
        }
    }
    let last = turns.last_mut().and_then(|(role, texts)| Some((*role, texts.pop()?)));
    let block = |text: &&str| json!({"type": "text", "text": text});
    let mut turns: Vec<(Role, Vec<Value>)> =
        turns.into_iter().map(|(role, texts)| (role, texts.iter().map(block).collect())).collect();
    if let (Some((role, text)), Some((_, blocks))) = (last, turns.last_mut()) {
        blocks.push(cached(if role == Role::Assistant { text.trim_end() } else { text }));
    }
    turns.into_iter().map(|(role, content)| json!({"role": role, "content": content})).collect()
}

fn cached(text: &str) -> Value {
    json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}})
}

/// Reads the events of a streamed message.
#[derive(Default)]
pub(super) struct MessageEvents {
    state: StreamState,
}

impl Protocol for MessageEvents {
    fn event(&mut self, event: Json<'_>) -> Vec<Piece> {
        if let Some(failure) = provider_error::in_event(event) {
            return self.state.fail(failure);
        }
        match event.get("type").and_then(Json::text).as_deref() {
            Some("message_start") => {
                event.get("message").map(|message| self.message(message)).unwrap_or_default()
            }
            // A server that does not stream sends the whole message.
            Some("message") => {
                let pieces = self.message(event);
                pieces.into_iter().chain(self.state.done()).collect()
            }
            Some("content_block_start") => self.state.take(event.get("content_block"), TextKind::Answer),
            Some("content_block_delta") => self.state.take(event.get("delta"), TextKind::Answer),
            Some("message_delta") => {
                self.state.finish(event.get("delta").and_then(|delta| delta.get("stop_reason")));
                self.count(event).into_iter().collect()
            }
            Some("message_stop") => self.state.done(),
            // New types of events may be added at any time.
            Some(_) => Vec::new(),
            None if event.is_empty() => Vec::new(),
            None => {
                self.state.note_unknown_event();
                Vec::new()
            }
        }
    }

    fn state(&mut self) -> &mut StreamState {
        &mut self.state
    }
}

impl MessageEvents {
    /// Reads the beginning of a message, or a whole one.
    fn message(&mut self, message: Json<'_>) -> Vec<Piece> {
        let mut pieces = self.state.take(message.get("content"), TextKind::Answer);
        pieces.extend(self.count(message));
        self.state.finish(message.get("stop_reason"));
        pieces
    }

    /// Reads the token counts, which come with the first event and again with the last. The input is known from the
    /// first event, and has to be paid for even if the stream is interrupted.
    fn count(&mut self, event: Json<'_>) -> Option<Piece> {
        let usage = event.get("usage").filter(|usage| usage.is_object())?;
        let count = |name: &str| usage.get(name).and_then(Json::count);
        let before = self.state.usage();
        let cached = count("cache_read_input_tokens").unwrap_or_default().max(before.cached);
        let cache_written =
            count("cache_creation_input_tokens").unwrap_or_default().max(before.cache_written);
        let plain_before = before.input.saturating_sub(before.cached).saturating_sub(before.cache_written);
        let plain = count("input_tokens").unwrap_or_default().max(plain_before);
        let output = count("output_tokens").unwrap_or_default();
        let input = plain.saturating_add(cached).saturating_add(cache_written);
        Some(self.state.count(Usage { input, cached, cache_written, output }))
    }
}
