//! Anthropic's messages.

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::catalogue::{Capability, Entry};
use super::settings::Account;
use super::speech::Voice;
use super::transport::course::Course;
use super::transport::loose::Json;
use super::transport::provider_error;
use super::transport::stream::Protocol;
use super::{Piece, Question, Said};
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
        "max_tokens": question.max_tokens_of(entry),
        "stream": true,
        "messages": messages(question.said()),
    });
    let Some(fields) = body.as_object_mut() else { return body };
    let instructions: Vec<&str> = of_the_system(question.said()).collect();
    if !instructions.is_empty() {
        fields.insert("system".to_owned(), json!([cached(&instructions.join("\n\n"))]));
    }
    if entry.can(Capability::Temperature) {
        // Its scale ends at 1.
        fields.insert("temperature".to_owned(), json!(question.params.temperature().min(1.0)));
    }
    body
}

fn of_the_system<'a>(said: impl Iterator<Item = &'a Said>) -> impl Iterator<Item = &'a str> {
    said.filter(|said| said.role == Role::System).map(|said| said.content.as_str())
}

/// Messages of one role in a row are one, the user begins, and what the assistant said last does not end in white space:
/// Anthropic accepts nothing else. What comes next time begins like this, so the provider is asked to remember all of it.
fn messages<'a>(said: impl Iterator<Item = &'a Said>) -> Vec<Value> {
    let mut turns: Vec<(Role, Vec<&str>)> = Vec::new();
    for said in said.filter(|said| said.role != Role::System) {
        let text = said.content.as_str();
        match turns.last_mut() {
            Some((role, texts)) if *role == said.role => texts.push(text),
            None if said.role == Role::Assistant => {}
            _ => turns.push((said.role, vec![text])),
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

/// What has been understood of a stream.
#[derive(Default)]
pub(super) struct Messages {
    course: Course,
}

impl Protocol for Messages {
    fn event(&mut self, event: Json<'_>) -> Vec<Piece> {
        if let Some(failure) = provider_error::in_event(event) {
            return self.course.fail(failure);
        }
        match event.get("type").and_then(Json::text).as_deref() {
            Some("message_start") => {
                event.get("message").map(|message| self.message(message)).unwrap_or_default()
            }
            // All of it at once, from a server that does not stream.
            Some("message") => {
                let pieces = self.message(event);
                pieces.into_iter().chain(self.course.done()).collect()
            }
            Some("content_block_start") => self.course.take(event.get("content_block"), Voice::Aloud),
            Some("content_block_delta") => self.course.take(event.get("delta"), Voice::Aloud),
            Some("message_delta") => {
                self.course.finish(event.get("delta").and_then(|delta| delta.get("stop_reason")));
                self.count(event).into_iter().collect()
            }
            Some("message_stop") => self.course.done(),
            // There may be more types than we know of.
            Some(_) => Vec::new(),
            None if event.is_empty() => Vec::new(),
            None => {
                self.course.note_oddity();
                Vec::new()
            }
        }
    }

    fn course(&mut self) -> &mut Course {
        &mut self.course
    }
}

impl Messages {
    /// Takes a message as it begins, or all of it.
    fn message(&mut self, message: Json<'_>) -> Vec<Piece> {
        let mut pieces = self.course.take(message.get("content"), Voice::Aloud);
        pieces.extend(self.count(message));
        self.course.finish(message.get("stop_reason"));
        pieces
    }

    /// Counts are told at the beginning, and again at the end. What was read is known from the beginning, and has to be paid
    /// even when the stream breaks off.
    fn count(&mut self, event: Json<'_>) -> Option<Piece> {
        let usage = event.get("usage").filter(|usage| usage.is_object())?;
        let count = |name: &str| usage.get(name).and_then(Json::count);
        let before = self.course.usage();
        let cached = count("cache_read_input_tokens").unwrap_or_default().max(before.cached);
        let cache_written =
            count("cache_creation_input_tokens").unwrap_or_default().max(before.cache_written);
        let plain_before = before.input.saturating_sub(before.cached).saturating_sub(before.cache_written);
        let plain = count("input_tokens").unwrap_or_default().max(plain_before);
        let output = count("output_tokens").unwrap_or_default();
        let input = plain.saturating_add(cached).saturating_add(cache_written);
        Some(self.course.count(Usage { input, cached, cache_written, output }))
    }
}
