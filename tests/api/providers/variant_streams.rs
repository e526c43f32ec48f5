//! Streams of providers, built from events.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::cases::{Expected, GPT, complete, interrupted};

/// An event with text.
pub(super) fn say(text: &str) -> String {
    data(&json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}))
}

pub(super) fn finish(reason: &Value) -> String {
    data(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

pub(super) fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}

pub(super) const DONE: &str = "data: [DONE]\n\n";

pub(super) fn stream(parts: &[String]) -> Vec<Value> {
    parts.iter().map(|part| json!({"send": part})).collect()
}

/// Half an answer, followed by these events.
pub(super) fn half_and(more: &[String]) -> Vec<Value> {
    stream(&[vec![say("Half "), say("a.")], more.to_vec()].concat())
}

/// A complete answer with an unexpected event at each place.
pub(super) fn with(odd: &str) -> Vec<Value> {
    stream(&[
        odd.to_owned(),
        say("All "),
        odd.to_owned(),
        say("of it."),
        odd.to_owned(),
        finish(&json!("stop")),
        odd.to_owned(),
        DONE.to_owned(),
    ])
}

/// Raw bytes, each in a separate piece.
pub(super) fn bytes(parts: &[&[u8]]) -> Vec<Value> {
    parts.iter().map(|part| json!({"send_base64": STANDARD.encode(part)})).collect()
}

pub(super) fn document(status: u16, body: &str) -> Vec<Value> {
    vec![json!({"status": status, "headers": {"content-type": "application/json"}}), json!({"send": body})]
}

/// Events as JSON lines, with pauses between them.
pub(super) fn bare(events: &[String]) -> Vec<Value> {
    let lines = events.iter().map(|event| json!({"send": event.replace("data: ", "")}));
    lines.flat_map(|line| [line, json!({"wait_seconds": 1.2})]).collect()
}

/// A slow answer with a finish reason in every event.
pub(super) fn early(texts: &[&str]) -> Vec<Value> {
    let event = |text| data(&json!({"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]}));
    // The second text follows soon and shows that the first finish reason was not the end. Later ones are slow.
    let waits = [0.1, 1.2, 0.1];
    let sent = texts.iter().zip(waits);
    sent.flat_map(|(text, wait)| [json!({"send": event(text)}), json!({"wait_seconds": wait})]).collect()
}

/// An answer of Anthropic with this delta.
pub(super) fn claude(delta: &Value, more: &[Value]) -> Vec<Value> {
    let start = json!({"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}});
    let text = json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let events = [vec![start, text], more.to_vec()].concat();
    events.iter().map(|event| json!({"send": data(event)})).collect()
}

pub(super) fn stop(reason: &Value) -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 4}})
}

pub(super) const ALL: &str = "All of it.";
pub(super) const HALF: &str = "Half a.";

pub(super) fn half(name: &'static str) -> Expected {
    interrupted(name, HALF)
}

pub(super) fn all(name: &'static str) -> Expected {
    complete(name, GPT, ALL)
}
