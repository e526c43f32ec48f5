//! The AsyncAPI document: a studio accepts and sends exactly the documented frames.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::provider::{Act, Ending, Protocol, Provider, proper, studio_of};
use crate::support::{Client, Connection, TestStudio, User, conform};

const MODEL: Protocol = Protocol::OpenAi;

/// A schema with all references replaced by their targets.
fn inlined(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return inlined(document, document.pointer(reference.trim_start_matches('#')).unwrap());
    }
    match schema {
        Value::Object(fields) => {
            fields.iter().map(|(name, it)| (name.clone(), inlined(document, it))).collect()
        }
        Value::Array(values) => values.iter().map(|it| inlined(document, it)).collect(),
        other => other.clone(),
    }
}

/// The documented frames, and those that a test has sent and received.
struct Document {
    schemas: BTreeMap<String, &'static Value>,
    examples: BTreeMap<String, Value>,
    clients: BTreeSet<String>,
    sent: BTreeSet<String>,
    seen: BTreeSet<String>,
}

impl Document {
    async fn read(visitor: &Client) -> Self {
        let document = visitor.get("/asyncapi.json").await.expect(200).body;
        let messages = document["components"]["messages"].as_object().unwrap();
        // The checker needs a schema that lives as long as the process.
        let schema = |message: &Value| &*Box::leak(Box::new(inlined(&document, &message["payload"])));
        let operations = document["operations"].as_object().unwrap().values();
        let received = operations.filter(|operation| operation["action"] == "receive");
        let kind = |operation: &Value| {
            operation["messages"][0]["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
        };
        Self {
            schemas: messages.iter().map(|(kind, it)| (kind.clone(), schema(it))).collect(),
            examples: messages
                .iter()
                .map(|(kind, it)| (kind.clone(), it["examples"][0]["payload"].clone()))
                .collect(),
            clients: received.map(kind).collect(),
            sent: BTreeSet::new(),
            seen: BTreeSet::new(),
        }
    }

    fn check(&self, frame: &Value) -> String {
        let kind = frame["type"].as_str().unwrap_or_else(|| panic!("no type: {frame}"));
        let schema = self.schemas.get(kind).unwrap_or_else(|| panic!("not documented: {frame}"));
        conform::check(schema, frame, "").unwrap_or_else(|error| panic!("{frame}: {error}"));
        kind.to_owned()
    }

    /// Sends the example of this frame with other values.
    async fn send(&mut self, connection: &mut Connection, kind: &str, values: Value) {
        let mut frame = self.examples[kind].clone();
        frame.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
        self.sent.insert(self.check(&frame));
        connection.send(&frame).await;
    }

    /// The next frame of this type. Frames before it are checked too.
    async fn next(&mut self, connection: &mut Connection, kind: &str) -> Value {
        loop {
            let frame = connection.next_any().await;
            let came = self.check(&frame);
            self.seen.insert(came.clone());
            if came == kind {
                return frame;
            }
        }
    }

    /// Authentication by a frame, and frames before and after it.
    async fn authenticate(&mut self, studio: &TestStudio, user: &User) -> Connection {
        let (mut connection, mut stranger) = (studio.connect().await, studio.connect().await);
        self.send(&mut stranger, "auth", json!({})).await;
        self.next(&mut stranger, "auth_failed").await;
        self.send(&mut connection, "ping", json!({})).await;
        self.next(&mut connection, "error").await;
        self.send(&mut connection, "auth", json!({"token": user.token})).await;
        self.next(&mut connection, "auth_success").await;
        self.send(&mut connection, "ping", json!({})).await;
        self.next(&mut connection, "pong").await;
        connection
    }

    /// Authentication by the address, and the frames that other connections of the user get.
    async fn meet(&mut self, studio: &TestStudio, user: &User, connection: &mut Connection) {
        let mut other = Connection::open(&format!("{}?token={}", studio.ws_url(), user.token)).await.unwrap();
        self.next(&mut other, "auth_success").await;
        self.send(&mut other, "typing", json!({})).await;
        self.next(connection, "user_typing").await;
        other.close().await;
        self.next(connection, "user_disconnected").await;
    }

    /// A turn of a reasoning model in a new conversation, which gets a title; then the reply is regenerated.
    async fn turn(&mut self, connection: &mut Connection, provider: &Provider) -> Value {
        let parts = [
            MODEL.begin(7),
            MODEL.thought("Hmm."),
            MODEL.text("Nice."),
            MODEL.finish("stop", 7, 9),
            MODEL.done(),
        ];
        provider.script([proper(parts)]);
        provider.script_titles([MODEL.answer(&["A trip to Lisbon"])]);
        let turn = json!({"content": "I would like to go to Lisbon in May", "model": MODEL.model(), "temperature": 1, "max_tokens": 90});
        self.send(connection, "chat", turn).await;
        let accepted = self.next(connection, "chat_accepted").await;
        for kind in ["chat_reasoning", "chat_chunk", "chat_complete", "chat_title"] {
            self.next(connection, kind).await;
        }
        let about = json!({"messageId": accepted["messageId"]});
        self.send(connection, "resume", about.clone()).await;
        self.next(connection, "chat_complete").await;
        provider.script([MODEL.answer(&["Other words."])]);
        self.send(connection, "regenerate", about).await;
        self.next(connection, "chat_complete").await
    }

    /// A turn that is resumed and stopped, and one that fails.
    async fn stop_and_fail(&mut self, connection: &mut Connection, provider: &Provider) {
        let parts = [MODEL.begin(7), MODEL.text("Once upon a time")].map(String::into_bytes);
        provider.script([Act::Stream(parts.into(), Duration::from_millis(1), Ending::Never)]);
        self.send(connection, "chat", json!({"id": "m2", "model": MODEL.model()})).await;
        let about = json!({"messageId": self.next(connection, "chat_accepted").await["messageId"]});
        self.next(connection, "chat_chunk").await;
        self.send(connection, "resume", about.clone()).await;
        self.next(connection, "chat_snapshot").await;
        self.send(connection, "stop", about).await;
        assert_eq!(self.next(connection, "chat_complete").await["status"], "stopped");
        provider.script([Act::Answer(400, Vec::new(), "{}".to_owned())]);
        self.send(connection, "chat", json!({"id": "m3", "model": MODEL.model()})).await;
        let failed = self.next(connection, "chat_error").await;
        assert!(failed["messageId"].is_string(), "{failed}");
        self.send(connection, "chat", json!({"id": "m4", "model": "no such model"})).await;
        assert_eq!(self.next(connection, "chat_error").await["code"], "unknown_model");
    }
}

#[tokio::test]
async fn every_documented_frame_is_accepted_or_sent_as_documented() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", MODEL.model())]).await;
    let user = studio.user("alice").await;
    let mut protocol = Document::read(&studio.visitor()).await;
    let mut connection = protocol.authenticate(&studio, &user).await;
    protocol.meet(&studio, &user, &mut connection).await;
    protocol.turn(&mut connection, &provider).await;
    protocol.stop_and_fail(&mut connection, &provider).await;
    assert_eq!(protocol.sent, protocol.clients);
    let all: BTreeSet<String> = protocol.schemas.keys().cloned().collect();
    assert_eq!(protocol.seen, all.difference(&protocol.clients).cloned().collect());
}

#[tokio::test]
async fn every_frame_example_matches_its_schema() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let protocol = Document::read(&studio.visitor()).await;
    for (kind, example) in &protocol.examples {
        assert_eq!(&protocol.check(example), kind);
    }
}
