//! The AsyncAPI document: the servers, the channel, a message for each type of frame, and the operations.

use serde_json::{Map, Value, json};

use super::frames::{self, Asked, Frame};
use super::schemas::Schemas;

const DESCRIPTION: &str = "\
Chat with AI models over a WebSocket. A user can have several connections at a time. Frames are JSON texts with a `type`. Both \
sides ignore unknown fields. All frames about a reply go to all connections of its user, except `chat_accepted` and refusals, \
which go to the connection that asked.

A reply begins with `chat_accepted`. Its text follows in `chat_chunk` frames, whose `seq` counts from 0 without gaps. It ends \
with `chat_complete` or `chat_error`, which contain the whole stored text. A connection that missed frames receives a \
`chat_snapshot`, on its own or after it sends `resume`. A text of more than 23 KB is split into several frames, all but the last \
of type `chat_snapshot`, with `part` (from 0) and `parts`. Joined in order, they are the `content`.

A page in a browser may connect if its origin is allowed (`ALLOWED_ORIGINS`).";

/// Makes the document.
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
        "local": {"host": "127.0.0.1:8000", "protocol": "ws", "description": "The studio that `cargo run` starts."},
        "cloud": {
            "host": "{api}.execute-api.{region}.amazonaws.com",
            "protocol": "wss",
            "description": "A deployed stack. The output `WebSocketUrl` of the stack contains the address.",
            "variables": {
                "api": {"description": "The id of the WebSocket API.", "examples": ["abcdef1234"]},
                "region": {"description": "The region of the stack.", "default": "us-east-1"},
            },
        },
    })
}

fn channel(messages: &Map<String, Value>) -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let query = json!({
        "type": "object",
        "properties": {
            "ticket": text("A ticket from `POST /api/auth/ws-ticket`, valid once and for 30 s. Prefer it to `token`, because addresses appear in logs."),
            "token": text("An access token or an API key."),
            "user_id": text("The id of a user. Only credentials of this user then authenticate the connection. In the local studio, `/ws/{user_id}` has the same meaning."),
        },
    });
    json!({
        "address": "/ws",
        "title": "A connection of a user",
        "description": "Authenticate with `ticket` or `token` in the address (the server then sends `auth_success`), or with `auth` as \
            the first frame. A connect is refused with 401 if the credential in the address is invalid, with 403 if the origin is not \
            allowed or the address names another user, and with 429 if there are too many connects. Until the connection is \
            authenticated, the answer to every other frame is `error`.",
        "messages": messages,
        "bindings": {"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}},
    })
}

/// An operation for each frame of a client, with its answers, and for the frames that the server sends on its own.
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
        ("greet", "Confirms a connect with a credential in its address.", &["auth_success"]),
        (
            "tell",
            "Reports the progress of a reply to all connections of its user.",
            &["chat_chunk", "chat_reasoning", "chat_snapshot", "chat_complete", "chat_error", "chat_title"],
        ),
        ("show", "Reports what the user does on other connections.", &["user_typing", "user_disconnected"]),
        ("refuse", "Refuses a frame of any type.", &["error"]),
    ];
    for (name, summary, kinds) in pushed {
        let operation =
            json!({"action": "send", "channel": studio, "summary": summary, "messages": named(kinds)});
        operations.insert(name.to_owned(), operation);
    }
    Value::Object(operations)
}

/// The codes with which connections close.
fn closing() -> Value {
    json!([
        {"code": 1000, "when": "The studio closes a connection after `auth_failed`; when its session or API key has ended; when the user opens \
            an eleventh connection (the oldest one receives `too_many_connections`); when its token has expired and no new one arrived \
            within 60 s; and when it sends twice as many frames as it may."},
        {"code": 1001, "when": "API Gateway closes a connection that was idle for 10 minutes or is 2 hours old. Connect again and send \
            `resume`."},
        {"code": 1003, "when": "The client sent a binary frame."},
        {"code": 1009, "when": "A frame or a message was too large for API Gateway."},
    ])
}

fn limits() -> Value {
    json!([
        {"what": "frame of a client", "limit": "30 KB; a frame of more than 32 KB closes the connection. Send longer texts with \
            `POST /api/chat` and `Prefer: respond-async`"},
        {"what": "message of a user", "limit": "65,536 characters, within the limit of a frame"},
        {"what": "frames of a connection", "limit": "60 in 60 s by default; further frames are refused with `rate_limited`"},
        {"what": "connections of a user", "limit": "10"},
        {"what": "replies of a user at a time", "limit": "3 by default"},
        {"what": "reply", "limit": "256 KB and 15 minutes"},
        {"what": "connection", "limit": "10 minutes idle, 2 hours in total"},
    ])
}

#[test]
fn every_frame_belongs_to_an_operation() {
    let asyncapi = document();
    let operations = asyncapi["operations"].to_string();
    for kind in asyncapi["components"]["messages"].as_object().unwrap().keys() {
        assert!(operations.contains(&format!("/messages/{kind}\"")), "{kind}");
    }
}
