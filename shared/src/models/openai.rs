//! OpenAI's chat completions, as OpenAI, Ollama, vLLM, llama.cpp, OpenRouter, DeepSeek and others serve them.

use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalogue::{Capability, Entry};
use super::failure::{Failure, FailureKind};
use super::settings::Account;
use super::upstream::Protocol;
use super::{Finish, Piece, Question};
use crate::domain::Usage;
use crate::domain::usage::Estimate;

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
    let messages: Vec<Value> = question
        .messages
        .iter()
        .map(|said| json!({"role": said.role, "content": said.content.as_str()}))
        .collect();
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
    estimate: Estimate,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Chunk {
    error: Option<ErrorObject>,
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Counted>,
}

#[derive(Deserialize)]
struct ErrorObject {
    code: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    /// What the model refuses with is its answer.
    refusal: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
}

#[derive(Deserialize)]
struct Counted {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

impl Protocol for Chunks {
    fn take(&mut self, data: &str) -> Vec<Piece> {
        if data.trim() == "[DONE]" {
            return vec![self.end_with(Finish::Stop)];
        }
        let Ok(chunk) = serde_json::from_str::<Chunk>(data) else {
            return vec![Piece::Failed(FailureKind::BrokeOff.into())];
        };
        if let Some(error) = chunk.error {
            return vec![Piece::Failed(error.failure())];
        }
        if let Some(usage) = chunk.usage {
            let cached = usage.prompt_tokens_details.and_then(|details| details.cached_tokens);
            self.usage = Some(Usage {
                input: usage.prompt_tokens,
                cached: cached.unwrap_or_default().min(usage.prompt_tokens),
                cache_written: 0,
                output: usage.completion_tokens,
            });
        }
        chunk
            .choices
            .into_iter()
            .filter(|choice| choice.index == 0)
            .flat_map(|choice| self.choice(choice))
            .collect()
    }

    fn end(&mut self) -> Piece {
        // Without `[DONE]`, the reason to finish says that all has come.
        match self.finish {
            Some(finish) => self.end_with(finish),
            None => Piece::Failed(FailureKind::BrokeOff.into()),
        }
    }
}

impl Chunks {
    fn end_with(&self, finish: Finish) -> Piece {
        Piece::End { finish: self.finish.unwrap_or(finish), usage: self.usage }
    }

    fn choice(&mut self, choice: Choice) -> Vec<Piece> {
        if let Some(reason) = choice.finish_reason {
            self.finish = Some(match reason.as_str() {
                "length" => Finish::Length,
                "content_filter" => Finish::Filtered,
                _ => Finish::Stop,
            });
        }
        let Some(delta) = choice.delta else { return Vec::new() };
        let reasoning = delta.reasoning_content.or(delta.reasoning);
        let mut pieces = Vec::new();
        if let Some(text) = reasoning.filter(|text| !text.is_empty()) {
            let tokens = self.estimate.take(&text);
            pieces.push(Piece::Reasoning { text, tokens });
        }
        for text in [delta.content, delta.refusal].into_iter().flatten().filter(|text| !text.is_empty()) {
            let tokens = self.estimate.take(&text);
            pieces.push(Piece::Text { text, tokens });
        }
        pieces
    }
}

impl ErrorObject {
    fn failure(self) -> Failure {
        // The code is a name, or a status.
        match self.code {
            Some(Value::Number(status)) => {
                let status = status.as_u64().and_then(|status| u16::try_from(status).ok());
                Failure::of_status(status.unwrap_or(500), None)
            }
            Some(Value::String(name)) => Failure::of_name(&name),
            _ => Failure::of_name(self.kind.as_deref().unwrap_or_default()),
        }
    }
}
