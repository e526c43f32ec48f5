//! The AsyncAPI document: servers, the one channel, a message for each frame, and who sends which.

use serde_json::{Map, Value, json};

use super::frames::{self, Asked, Frame};
use super::schemas::Schemas;

const DESCRIPTION: &str = "\
Chat with AI models, in as many windows of a user as there are: each is a WebSocket. Frames are JSON texts, each with a `type`; \
fields that are not known are ignored, both ways. Everything about a reply goes to all windows of its user, but `chat_accepted` \
and refusals, which go to the one that asked.

A reply begins with `chat_accepted`, comes in `chat_chunk` frames whose `seq` counts from 0 without a gap, and ends with \
`chat_complete` or `chat_error`, which carry all of its text as stored. A window that missed something gets a `chat_snapshot`, by \
itself or when it sends `resume`. A text of more than 23 KB comes in several frames, all but the last as `chat_snapshot`, with \
`part` (from 0) and `parts`; put together they are the `content`.

From a browser, a page may connect if its origin is among the allowed ones.";

/// The document.
pub(super) fn document() -> Value {
    let mut schemas = Schemas::default();
    let (asked, sent) = (frames::from_clients(&mut schemas), frames::from_server(&mut schemas));
    let all = || asked.iter().map(|asked| &asked.frame).chain(&sent);
    let messages: Map<String, Value> = all().map(|frame| (frame.kind.clone(), message(frame))).collect();
    let in_channel: Map<String, Value> =
        all().map(|frame| (frame.kind.clone(), reference("components/messages", &frame.kind))).collect();
    let used = schemas.used_by(&json!(messages));
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "AI Chat Studio: the WebSocket",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": servers(),
        "channels": {"studio": channel(&in_channel)},
        "operations": operations(&asked),
        "components": {"messages": messages, "schemas": used},
        "x-closing": closing(),
        "x-limits": limits(),
    })
}

fn reference(place: &str, name: &str) -> Value {
    json!({"$ref": format!("#/{place}/{name}")})
}

fn message(frame: &Frame) -> Value {
    json!({
        "name": frame.kind,
        "title": frame.kind,
        "summary": frame.description,
        "payload": frame.payload,
        "examples": [{"name": frame.kind, "payload": frame.example}],
    })
}

fn servers() -> Value {
    json!({
        "local": {"host": "127.0.0.1:8000", "protocol": "ws", "description": "What `cargo run` starts."},
        "cloud": {
            "host": "{api}.execute-api.{region}.amazonaws.com",
            "protocol": "wss",
            "description": "A deployed stack: its output `WebSocketUrl` names it.",
            "variables": {
                "api": {"description": "The id of the WebSocket API.", "examples": ["abcdef1234"]},
                "region": {"description": "Where the stack is.", "default": "us-east-1"},
            },
        },
    })
}

fn channel(messages: &Map<String, Value>) -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let query = json!({
        "type": "object",
        "properties": {
            "ticket": text("From `POST /api/auth/ws-ticket`: good once, for 30 s. The best way, since addresses end up in logs."),
            "token": text("An access token, or an API key."),
            "user_id": text("Only this user's credentials authenticate the connection, which opens with any text. Locally, `/ws/{user_id}` says the same."),
        },
    });
    json!({
        "address": "/ws",
        "title": "A window of a user",
        "description": "Authenticated by `ticket` or `token` in the address (`auth_success` then comes by itself), or by a first \
            frame `auth`. A bad credential in the address is refused with 401, a foreign origin or another user's address with 403, \
            and too many connects with 429. Until it is authenticated, every other frame is answered with `error`.",
        "messages": messages,
        "bindings": {"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}},
    })
}

/// Each frame of a client with its answers, and what comes unasked.
fn operations(asked: &[Asked]) -> Value {
    let studio = json!({"$ref": "#/channels/studio"});
    let named = |kinds: &[&str]| {
        kinds.iter().map(|kind| reference("channels/studio/messages", kind)).collect::<Vec<_>>()
    };
    let mut operations = Map::new();
    for Asked { frame, answers } in asked {
        let operation = json!({
            "action": "receive",
            "channel": studio,
            "summary": frame.description,
            "messages": named(&[&frame.kind]),
            "reply": {"channel": studio, "messages": named(answers)},
        });
        operations.insert(frame.kind.clone(), operation);
    }
    let pushed: [(&str, &str, &[&str]); 4] = [
        ("greet", "After a connect with a credential in its address.", &["auth_success"]),
        (
            "tell",
            "What becomes of a reply, in all windows of its user.",
            &["chat_chunk", "chat_reasoning", "chat_snapshot", "chat_complete", "chat_error", "chat_title"],
        ),
        ("show", "What the user's other windows do.", &["user_typing", "user_disconnected"]),
        ("refuse", "A frame that cannot be taken, whatever its type.", &["error"]),
    ];
    for (name, summary, kinds) in pushed {
        let operation =
            json!({"action": "send", "channel": studio, "summary": summary, "messages": named(kinds)});
        operations.insert(name.to_owned(), operation);
    }
    Value::Object(operations)
}

/// How connections end.
fn closing() -> Value {
    json!([
        {"code": 1000, "when": "By the studio: after `auth_failed`; when the session or the key that opened the window has ended; when an \
            eleventh window takes the place of the oldest, which is told `too_many_connections`; when a token has ended and no other came \
            within 60 s; when a window sends twice as many frames as it may."},
        {"code": 1001, "when": "By the gateway: nothing came or went for 10 minutes, or the connection is 2 hours old. Connect again, and \
            `resume`."},
        {"code": 1003, "when": "A binary frame came."},
        {"code": 1009, "when": "A frame or a message was too large for the gateway."},
    ])
}

fn limits() -> Value {
    json!([
        {"what": "a client's frame", "limit": "30 KB; beyond 32 KB the connection closes. `POST /api/chat` with `Prefer: respond-async` takes \
            longer texts"},
        {"what": "what a user says", "limit": "65,536 characters, within that"},
        {"what": "frames of a connection", "limit": "60 in 60 s, unless set otherwise; then they are refused with `rate_limited`"},
        {"what": "windows of a user", "limit": "10"},
        {"what": "replies of a user at a time", "limit": "3, unless set otherwise"},
        {"what": "a reply", "limit": "256 KB, or 15 minutes"},
        {"what": "a connection", "limit": "10 minutes idle, 2 hours in all"},
    ])
}

/// Every frame is in an operation.
#[test]
fn every_frame_is_sent_by_somebody() {
    let document = document();
    let operations = document["operations"].to_string();
    for kind in document["components"]["messages"].as_object().unwrap().keys() {
        assert!(operations.contains(&format!("/messages/{kind}\"")), "{kind}");
    }
}
