//! No accepted request needs more than 128 MB: the peak memory of a function that serves the most demanding bodies
//! and the largest answers. Debug builds need more memory than release builds.

use std::fs;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::{Answer, TestStudio, User, send, studio_with};

/// The memory limit of a process, in KB.
const MOST_OCCUPIED: usize = 128 * 1024;
/// The largest body, in bytes.
const MOST: usize = 4 * 1024 * 1024;
/// The largest event, in bytes. Each quote of a body takes two bytes.
const MOST_OF_EVENT: usize = 6 * 1024 * 1024 - 4096;
/// The size of a large message, in bytes.
const LARGE: usize = 260_000;

/// The peak memory of a process, in KB; none if it has ended.
fn peak(pid: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A body of `start`, as many pieces as fit, and `end`.
fn filled(start: &str, end: &str, piece: impl Fn(usize) -> String) -> String {
    let (around, one) = (start.len() + end.len(), piece(0));
    let quotes = one.bytes().filter(|byte| *byte == b'"').count();
    let count =
        ((MOST - around) / (one.len() + 1)).min((MOST_OF_EVENT - 2 * around) / (one.len() + quotes + 1));
    let pieces: Vec<String> = (0..count).map(piece).collect();
    format!("{start}{}{end}", pieces.join(","))
}

/// Fifteen large messages, which fill a body.
fn large(first: usize) -> Vec<Value> {
    let content = "x".repeat(LARGE);
    let message =
        |n: usize| json!({"id": format!("m{n}"), "role": "assistant", "content": content, "timestamp": 1});
    (first..first + 15).map(message).collect()
}

/// A user whose requests are measured.
struct Measured<'a> {
    studio: &'a TestStudio,
    user: &'a User,
}

impl Measured<'_> {
    /// Sends a request to a new process of its function. Checks the status and the peak memory.
    async fn check(&self, what: &str, status: u16, route: (Method, &str), body: &str) -> Answer {
        let (method, path) = route;
        let (function, small) = match path {
            "/api/chat" => ("chat", "/api/models"),
            _ => ("conversations", "/api/conversations/none"),
        };
        let old = self.studio.instances(function);
        self.studio.kill_all(function);
        self.user.get(small).await;
        let new: Vec<u32> =
            self.studio.instances(function).into_iter().filter(|pid| !old.contains(pid)).collect();
        let before = new.iter().filter_map(|pid| peak(*pid)).max();
        let mut request = self.user.request(method.clone(), path);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_owned());
        }
        let answer = send(request).await;
        let what = format!("{method} {path} with {what}");
        assert_eq!(answer.status, status, "{what}: {}", answer.text.chars().take(300).collect::<String>());
        let occupied =
            new.iter().map(|pid| peak(*pid).unwrap_or_else(|| panic!("{what}: the process ended")));
        let occupied = occupied.max().unwrap_or_else(|| panic!("{what}: there is no process"));
        println!("{:>4} MB, {} MB before: {what}", occupied / 1024, before.unwrap_or_default() / 1024);
        assert!(occupied <= MOST_OCCUPIED, "{what}: {occupied} KB");
        answer
    }
}

/// The most demanding import bodies, with the expected status.
fn imports() -> [(&'static str, u16, String); 3] {
    let object = |_| r#"{"a":{"a":{"a":{}}}}"#.to_owned();
    let message = |_| r#"{"content":"aaaaaaaaaaaaaaaaaaaa","role":"user"}"#.to_owned();
    let node = |n| format!(r#""{n:08}":{{}}"#);
    // The last message has an unknown parent, so all are read and none is stored.
    let orphan = r#",{"content":"","role":"user","parentId":"none"}]}]"#;
    [
        ("nested objects", 422, filled("[", "]", object)),
        ("messages", 200, filled(r#"[{"id":"m","title":"T","messages":["#, orphan, message)),
        ("nodes", 200, filled(r#"[{"title":"T","mapping":{"#, "}}]", node)),
    ]
}

#[tokio::test]
async fn the_most_demanding_bodies_need_at_most_128_megabytes() {
    let studio = studio_with(|options| options.variable("DAILY_TOKENS", "0")).await;
    let user = studio.user("alice").await;
    let measured = Measured { studio: &studio, user: &user };
    for (what, status, body) in imports() {
        measured.check(what, status, (Method::POST, "/api/import"), &body).await;
    }
    let tiny = |_| r#"{"role":"user","content":"aaaaaaaaaaaaaaaaaaaa"}"#.to_owned();
    let messages = filled(r#"{"title":"T","messages":["#, "]}", tiny);
    measured.check("many messages", 200, (Method::POST, "/api/chat"), &messages).await;
    user.conversation("c", &["x"]).await;
    measured.check("many messages", 422, (Method::PUT, "/api/conversations/c"), &messages).await;
}

#[tokio::test]
async fn the_largest_conversations_need_at_most_128_megabytes() {
    let studio = studio_with(|options| options).await;
    let user = studio.user("alice").await;
    let measured = Measured { studio: &studio, user: &user };
    let path = "/api/conversations/large";
    let of = |messages: Vec<Value>| json!({"id": "large", "title": "T", "messages": messages}).to_string();
    for part in 0..4 {
        let more = json!([{"id": "large", "title": "T", "messages": large(part * 100)}]);
        user.post("/api/import", &more).await.expect(200);
    }
    let mut changed = large(300);
    changed[3]["content"] = json!("Changed");
    let changed = of(changed);
    measured.check("15 MB stored", 200, (Method::PUT, path), &changed).await;
    let more = format!("[{}]", of(large(400)));
    measured.check("15 MB stored", 200, (Method::POST, "/api/import"), &more).await;
    measured.check("19 MB stored", 200, (Method::GET, "/api/conversations/large?branch=all"), "").await;
    // Operations that need the whole conversation in memory are refused; those that need only its outline are not.
    let refused = measured.check("19 MB stored", 422, (Method::PUT, path), &changed).await;
    assert!(refused.body["detail"].as_str().unwrap().contains("too large"), "{}", refused.text);
    let branch = json!({"currentMessageId": "m200"}).to_string();
    measured.check("19 MB stored", 200, (Method::PATCH, path), &branch).await;
}
