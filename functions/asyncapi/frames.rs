//! Describes the frames: what each is for, how the server answers it, and an example.

use serde_json::{Value, json};
use shared::sockets::ServerFrame;
use shared::sockets::frame::{AboutReply, Auth, Chat, Regenerate, Typing};

use super::schemas::{Schemas, without_null};

/// A type of frame.
pub(super) struct Frame {
    pub(super) kind: String,
    pub(super) description: String,
    pub(super) payload: Value,
    pub(super) example: Value,
}

/// A type of frame that clients send, with the types that answer it.
pub(super) struct Asked {
    pub(super) frame: Frame,
    pub(super) answers: &'static [&'static str],
}

/// The types of frames that clients send, each with its purpose and the types that answer it.
const ASKED: [(&str, &str, &[&str]); 7] = [
    (
        "auth",
        "Authenticates the connection. Not needed if the address contained a ticket or a token. Send it again with a new token \
         of the same user before the old token expires.",
        &["auth_success", "auth_failed"],
    ),
    ("ping", "Asks for a `pong`. Also keeps an idle connection open.", &["pong", "error"]),
    (
        "chat",
        "Asks the model. With `conversationId`, the turn is stored in that conversation, which is created if it does not exist, \
         and a repeated `id` gets the same reply. Without `conversationId`, the turn is in no conversation.",
        &["chat_accepted", "chat_error", "error"],
    ),
    (
        "stop",
        "Stops a reply. The text so far is kept, and `chat_complete` has the status `stopped`.",
        &["chat_complete", "chat_error", "error"],
    ),
    (
        "regenerate",
        "Asks for another reply to the same message, on a new branch, which becomes the current one. Another `model`, \
         `temperature` or `max_tokens` can be given.",
        &["chat_accepted", "chat_error", "error"],
    ),
    (
        "resume",
        "Asks for the text of a reply so far, and for its further frames. Send it after a reconnect or a gap in `seq`.",
        &["chat_snapshot", "chat_complete", "chat_error", "error"],
    ),
    ("typing", "Tells the user's other connections that the user is typing.", &["error"]),
];

const TOKEN: &str = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyXzAxIn0.c2lnbmF0dXJl";

/// The types of frames that clients send.
pub(super) fn from_clients(schemas: &mut Schemas) -> Vec<Asked> {
    let frame = |(kind, description, answers): (&str, &str, &'static [&str])| {
        let (schema, mut example) = match kind {
            "auth" => (schemas.of::<Auth>(), json!({"token": TOKEN})),
            "ping" => (json!({}), json!({})),
            "chat" => {
                let turn = json!({"content": "hello", "id": "m1", "conversationId": "travel-plans"});
                (schemas.of::<Chat>(), turn)
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

/// The types of frames that the server sends, read from the schema of `ServerFrame`.
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

/// An example of a frame that the server sends.
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
