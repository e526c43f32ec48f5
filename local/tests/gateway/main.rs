//! The studio against a function that misbehaves on request: what AWS would do, it does.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod command;
mod cors;
mod database;
mod dot_env;
mod folder;
mod functions;
mod http;
mod listeners;
mod mailbox;
mod permissions;
mod processes;
mod push;
mod queues;
mod secrets;
mod slow_clients;
mod sockets;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use local::{Options, Studio};
use serde_json::Value;

/// What a studio of these tests is started with.
fn options() -> Options {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway");
    Options::new(folder.join("template.yaml"), examples())
}

/// The folder of the example `misbehaving`.
fn examples() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    executable.ancestors().nth(2).unwrap().join("examples")
}

/// Starts a studio with the limits of AWS.
async fn start_studio() -> Studio {
    Studio::start(options()).await.unwrap()
}

/// The `Authorization` of an AWS call that is signed with this access key id.
fn signed_with(key: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/any/aws4_request, SignedHeaders=host, Signature=0"
    )
}

/// The `Authorization` header of a call by the owner.
fn signature(studio: &Studio) -> String {
    signed_with(studio.access_key_id())
}

/// The access key id of a function.
fn key_of(studio: &Studio, function: &str) -> String {
    let environment = studio.environment(function);
    environment.into_iter().find(|(name, _)| name == "AWS_ACCESS_KEY_ID").unwrap().1
}

/// Polls until `found` returns something.
async fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(it) = found() {
            return it;
        }
        assert!(Instant::now() < deadline, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The events that a function printed, oldest first.
fn events_of(studio: &Studio, function: &str) -> Vec<Value> {
    let lines = studio.logs(function);
    lines.iter().filter_map(|line| serde_json::from_str(line.strip_prefix("event ")?).ok()).collect()
}

/// Waits until a function prints an event of this type.
async fn event_of_type(studio: &Studio, kind: &str) -> Value {
    eventually(kind, || {
        let all = events_of(studio, "SocketsFunction");
        all.into_iter()
            .find(|event| event.pointer("/requestContext/eventType").and_then(Value::as_str) == Some(kind))
    })
    .await
}
