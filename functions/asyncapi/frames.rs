//! What the types of frames do not say: what each is good for, and how it looks.

use serde_json::{Value, json};
use shared::sockets::ServerFrame;
use shared::sockets::frame::{AboutReply, Auth, Chat, Regenerate, Typing};

use super::schemas::{Schemas, without_null};

/// A frame of the protocol.
pub(super) struct Frame {
    pub(super) kind: String,
    pub(super) description: String,
    pub(super) payload: Value,
    pub(super) example: Value,
}

/// A frame that clients send, and those that answer it.
pub(super) struct Asked {
    pub(super) frame: Frame,
    pub(super) answers: &'static [&'static str],
}

/// What each frame that clients send is good for, and which answer it.
const ASKED: [(&str, &str, &[&str]); 7] = [
    (
        "auth",
        "The connection is this user's. Needed unless the address carried a ticket or a token; sent again, with a new token of \
         the same user, before the old one ends.",
        &["auth_success", "auth_failed"],
    ),
    ("ping", "Asks for a `pong`, which also keeps the connection from being idle.", &["pong", "error"]),
    (
        "chat",
        "A turn. With `conversationId` it is stored there (a conversation that is not there is created), and the same `id` \
         again gets the same reply; without it, the turn appears in no list.",
        &["chat_accepted", "chat_error", "error"],
    ),
    (
        "stop",
        "Stops a reply. What had come of it is kept, and `chat_complete` says `stopped`.",
        &["chat_complete", "chat_error", "error"],
    ),
    (
        "regenerate",
        "Another reply beside this one, on a branch of its own, which becomes the current one. It may be asked of another \
         `model`, and with another `temperature` or `max_tokens`.",
        &["chat_accepted", "chat_error", "error"],
    ),
    (
        "resume",
        "After a reconnect, or a gap in `seq`: what there is of a reply, and then the rest.",
        &["chat_snapshot", "chat_complete", "chat_error", "error"],
    ),
    ("typing", "Shown in the user's other windows.", &["error"]),
];

const TOKEN: &str = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyXzAxIn0.c2lnbmF0dXJl";

/// The frames that clients send.
pub(super) fn from_clients(schemas: &mut Schemas) -> Vec<Asked> {
    let frame = |(kind, description, answers): (&str, &str, &'static [&str])| {
        let (schema, mut example) = match kind {
            "auth" => (schemas.of::<Auth>(), json!({"token": TOKEN})),
            "ping" => (json!({}), json!({})),
            "chat" => {
                let said = json!({"content": "hello", "id": "m1", "conversationId": "travel-plans"});
                (schemas.of::<Chat>(), said)
            }
            "typing" => (schemas.of::<Typing>(), json!({"conversationId": "travel-plans"})),
            "regenerate" => {
                let again = json!({"messageId": REPLY, "conversationId": "travel-plans", "temperature": 1});
                (schemas.of::<Regenerate>(), again)
            }
            _ => (schemas.of::<AboutReply>(), json!({"messageId": REPLY, "conversationId": "travel-plans"})),
        };
        example["type"] = json!(kind);
        let payload = schemas.frame(kind, description, &schema);
        let frame = Frame { kind: kind.to_owned(), description: description.to_owned(), payload, example };
        Asked { frame, answers }
    };
    ASKED.into_iter().map(frame).collect()
}

const REPLY: &str = "msg_01KAN7T5X4V6B8N0M2Q4W6E8R1_2";

/// The frames that the server sends: what there is, the type says.
pub(super) fn from_server(schemas: &mut Schemas) -> Vec<Frame> {
    let all = schemas.of::<ServerFrame>();
    let frame = |schema: &Value| {
        let own = schema["allOf"].as_array().and_then(|parts| parts.last()).unwrap_or(schema);
        let kind = own["properties"]["type"]["enum"][0].as_str().unwrap();
        let description = own["description"].as_str().unwrap();
        let payload = without_null(schemas.frame(kind, description, schema));
        Frame { kind: kind.to_owned(), description: description.to_owned(), payload, example: example(kind) }
    };
    all["oneOf"].as_array().unwrap().iter().map(frame).collect()
}

/// How a frame of the server looks.
fn example(kind: &str) -> Value {
    let mut example = match kind {
        "auth_success" => json!({"message": "Authenticated", "data": {
            "session_id": "sess_01KAN7T5X2M4R8T6V0W1S3P5N7", "user_id": "user_01KAN7T5X1Q8ZJ4W6Y9B3C2D0E",
        }}),
        "auth_failed" => json!({"message": "Could not validate credentials"}),
        "error" => json!({"code": "unauthenticated", "message": "Please authenticate first"}),
        "pong" => json!({}),
        "chat_accepted" => json!({"id": "m1"}),
        "chat_chunk" => json!({"seq": 0, "content": "你好! 我是"}),
        "chat_reasoning" => json!({"seq": 0, "content": "The user greets me."}),
        "chat_snapshot" => json!({"seq": 3, "content": "你好! 我是AI助手"}),
        "chat_complete" => json!({"seq": 5, "content": "你好! 我是AI助手，很高兴为你服务!", "tokens": 15,
            "model": "offline", "status": "complete"}),
        "chat_error" => {
            json!({"code": "model_timeout", "detail": "The model stopped responding", "retryable": true,
            "retry": "new", "seq": 3, "content": "你好! 我是AI助手", "status": "interrupted"})
        }
        "chat_title" => json!({"title": "A greeting"}),
        "user_typing" => {
            json!({"user_id": "user_01KAN7T5X1Q8ZJ4W6Y9B3C2D0E", "conversationId": "travel-plans"})
        }
        "user_disconnected" => json!({"user_id": "user_01KAN7T5X1Q8ZJ4W6Y9B3C2D0E"}),
        _ => panic!("no example of {kind}"),
    };
    if kind.starts_with("chat_") {
        example["conversationId"] = json!("travel-plans");
        if kind != "chat_title" {
            example["messageId"] = json!(REPLY);
        }
    }
    example["type"] = json!(kind);
    example
}
