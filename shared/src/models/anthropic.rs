//! Anthropic's messages.

use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalogue::{Capability, Entry};
use super::failure::{Failure, FailureKind};
use super::settings::Account;
use super::upstream::Protocol;
use super::{Finish, Piece, Question, Said};
use crate::domain::usage::Estimate;
use crate::domain::{Role, Usage};

/// Where Anthropic is.
pub(super) const HOME: &str = "https://api.anthropic.com";
const VERSION: &str = "2023-06-01";

pub(super) fn request(
    client: &Client,
    account: &Account,
    entry: &Entry,
    question: &Question,
) -> RequestBuilder {
    let request = client.post(account.address("v1/messages")).header("anthropic-version", VERSION);
    account.key.header(request, "x-api-key").json(&body(entry, question))
}

fn body(entry: &Entry, question: &Question) -> Value {
    let mut body = json!({
        "model": entry.upstream(),
        "max_tokens": question.max_tokens.min(entry.max_output),
        "stream": true,
        "messages": messages(&question.messages),
    });
    let Some(fields) = body.as_object_mut() else { return body };
    let instructions: Vec<&str> = of_the_system(&question.messages).collect();
    if !instructions.is_empty() {
        fields.insert("system".to_owned(), json!([cached(&instructions.join("\n\n"))]));
    }
    if entry.can(Capability::Temperature) {
        // Its scale ends at 1.
        fields.insert("temperature".to_owned(), json!(question.temperature.min(1.0)));
    }
    body
}

fn of_the_system(messages: &[Said]) -> impl Iterator<Item = &str> {
    let system = messages.iter().filter(|said| said.role == Role::System && !said.content.is_blank());
    system.map(|said| said.content.as_str())
}

/// Messages of one role in a row are one, blank ones are none, and the user begins: Anthropic takes nothing else. What
/// comes next time begins like this, so the provider is asked to remember all of it.
fn messages(messages: &[Said]) -> Vec<Value> {
    let mut turns: Vec<(Role, Vec<Value>)> = Vec::new();
    for said in messages.iter().filter(|said| said.role != Role::System && !said.content.is_blank()) {
        let block = json!({"type": "text", "text": said.content.as_str()});
        match turns.last_mut() {
            Some((role, blocks)) if *role == said.role => blocks.push(block),
            None if said.role == Role::Assistant => {}
            _ => turns.push((said.role, vec![block])),
        }
    }
    if let Some(last) = turns.last_mut().and_then(|(_, blocks)| blocks.last_mut())
        && let Some(text) = last.get("text").and_then(Value::as_str)
    {
        *last = cached(text);
    }
    turns.into_iter().map(|(role, content)| json!({"role": role, "content": content})).collect()
}

fn cached(text: &str) -> Value {
    json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}})
}

/// What has been understood of a stream.
#[derive(Default)]
pub(super) struct Messages {
    estimate: Estimate,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Started,
    },
    ContentBlockStart {
        content_block: Block,
    },
    ContentBlockDelta {
        delta: Block,
    },
    MessageDelta {
        delta: Stopped,
        usage: Option<Counted>,
    },
    MessageStop,
    Error {
        error: ErrorObject,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Started {
    usage: Option<Counted>,
}

#[derive(Deserialize)]
struct Block {
    text: Option<String>,
    thinking: Option<String>,
}

#[derive(Deserialize)]
struct Stopped {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct ErrorObject {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Counted {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}

impl Protocol for Messages {
    fn take(&mut self, data: &str) -> Vec<Piece> {
        let Ok(event) = serde_json::from_str::<Event>(data) else {
            return vec![Piece::Failed(FailureKind::BrokeOff.into())];
        };
        match event {
            Event::MessageStart { message } => self.count(message.usage),
            Event::ContentBlockStart { content_block: block } | Event::ContentBlockDelta { delta: block } => {
                self.block(block)
            }
            Event::MessageDelta { delta, usage } => {
                let counted = self.count(usage);
                self.finish = delta.stop_reason.map(|reason| finish(&reason)).or(self.finish);
                counted
            }
            Event::MessageStop => vec![self.end_with(Finish::Stop)],
            Event::Error { error } => {
                vec![Piece::Failed(Failure::of_name(error.kind.as_deref().unwrap_or_default()))]
            }
            Event::Other => Vec::new(),
        }
    }

    fn end(&mut self) -> Piece {
        match self.finish {
            Some(finish) => self.end_with(finish),
            None => Piece::Failed(FailureKind::BrokeOff.into()),
        }
    }
}

fn finish(reason: &str) -> Finish {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "refusal" => Finish::Filtered,
        _ => Finish::Stop,
    }
}

impl Messages {
    fn end_with(&self, finish: Finish) -> Piece {
        Piece::End { finish: self.finish.unwrap_or(finish), usage: self.usage }
    }

    /// Counts are told at the beginning, and again, higher, at the end. What was read is known from the beginning, and has
    /// to be paid even when the stream breaks off.
    fn count(&mut self, counted: Option<Counted>) -> Vec<Piece> {
        let Some(counted) = counted else { return Vec::new() };
        let before = self.usage.unwrap_or_default();
        let cached = counted.cache_read_input_tokens.unwrap_or(before.cached);
        let cache_written = counted.cache_creation_input_tokens.unwrap_or(before.cache_written);
        let plain = counted.input_tokens.unwrap_or(before.input - before.cached - before.cache_written);
        let input = plain.saturating_add(cached).saturating_add(cache_written);
        let output = counted.output_tokens.unwrap_or(before.output).max(before.output);
        let usage = Usage { input, cached, cache_written, output };
        self.usage = Some(usage);
        vec![Piece::Counted(usage)]
    }

    fn block(&mut self, block: Block) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if let Some(text) = block.thinking.filter(|text| !text.is_empty()) {
            let tokens = self.estimate.take(&text);
            pieces.push(Piece::Reasoning { text, tokens });
        }
        if let Some(text) = block.text.filter(|text| !text.is_empty()) {
            let tokens = self.estimate.take(&text);
            pieces.push(Piece::Text { text, tokens });
        }
        pieces
    }
}
