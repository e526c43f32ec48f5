//! OpenAI's chat completions, as OpenAI, Ollama, vLLM, llama.cpp, OpenRouter, DeepSeek and others serve them.

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::catalogue::{Capability, Entry};
use super::course::Course;
use super::loose::Json;
use super::settings::Account;
use super::speech::Voice;
use super::upstream::Protocol;
use super::{Piece, Question, provider_error};
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
        limit: question.max_tokens.min(entry.max_output),
    });
    if entry.can(Capability::Temperature)
        && let Some(body) = body.as_object_mut()
    {
        body.insert("temperature".to_owned(), json!(question.temperature));
    }
    body
}

/// What has been understood of a stream.
#[derive(Default)]
pub(super) struct Chunks {
    course: Course,
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
        let mut pieces = match delta {
            Some(delta) => self.message(delta),
            // At the end of a stream, some repeat all of it.
            None if self.has_spoken => Vec::new(),
            None => choice.get("message").map(|message| self.message(message)).unwrap_or_default(),
        };
        if !self.has_spoken {
            pieces.extend(self.course.take(choice.get("text"), Voice::Aloud));
        }
        self.has_spoken |= pieces.iter().any(|piece| matches!(piece, Piece::Text { .. }));
        self.course.finish(choice.get("finish_reason"));
        pieces.extend(choice.get("usage").filter(|usage| usage.is_object()).map(|usage| self.count(usage)));
        pieces
    }

    fn message(&mut self, message: Json<'_>) -> Vec<Piece> {
        let names = ["reasoning_content", "reasoning", "thinking", "reasoning_details"];
        let thoughts = names.into_iter().filter_map(|name| message.get(name)).find(|said| !said.is_nothing());
        let mut pieces = self.course.take(thoughts, Voice::Thought);
        pieces.extend(self.course.take(message.get("content"), Voice::Aloud));
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
