//! No accepted request needs more than 128 MB: what a function's process occupies at most while it serves the worst bodies and the
//! largest answers. These are debug builds, whose processes occupy more than those of release builds.

use std::fmt::Write as _;
use std::fs;
use std::sync::OnceLock;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::actors::{Answer, TestStudio, User, send, studio, studio_with};

/// What a process may occupy, in KB.
const MOST_OCCUPIED: usize = 128 * 1024;
/// What a body may have at most, in bytes.
const MOST: usize = 4 * 1024 * 1024;
/// What an event may have at most, in bytes; each quote of a body takes two of them.
const MOST_OF_EVENT: usize = 6 * 1024 * 1024 - 4096;
/// Bytes of a large message.
const LARGE: usize = 260_000;

/// The most that a process has occupied so far, in KB; none of one that has ended.
fn peak(pid: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// As many of these pieces between `start` and `end` as a body and an event take.
fn filled(start: &str, end: &str, piece: impl Fn(usize) -> String) -> String {
    let in_event = |text: &str| text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    let mut body = start.to_owned();
    let mut event = in_event(start) + in_event(end);
    for number in 0.. {
        let piece = piece(number);
        event += in_event(&piece) + 1;
        if body.len() + piece.len() + end.len() + 1 > MOST || event > MOST_OF_EVENT {
            break;
        }
        if number > 0 {
            body.push(',');
        }
        body.push_str(&piece);
    }
    body.push_str(end);
    body
}

/// A large text that no compression makes much smaller.
fn noise(number: usize) -> &'static str {
    static NOISE: OnceLock<String> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let (mut state, mut text) = (1_u64, String::new());
        while text.len() < 2 * LARGE {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let _ = write!(text, "{:016x}", state ^ (state >> 29));
        }
        text
    });
    let start = number * 1009 % LARGE;
    &noise[start..start + LARGE]
}

/// Fifteen large messages, which are a body.
fn large(first: usize) -> Vec<Value> {
    let message =
        |n: usize| json!({"id": format!("m{n}"), "role": "assistant", "content": noise(n), "timestamp": 1});
    (first..first + 15).map(message).collect()
}

/// A user whose requests are measured.
struct Measured<'a> {
    studio: &'a TestStudio,
    user: &'a User,
}

impl Measured<'_> {
    /// Sends a request to a new process of the function that serves it. The answer must have this status, and the process
    /// must not have occupied too much.
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

/// Worst bodies of an import, with the status of the answer. The last one says something in a circle at its end, so it is read
/// whole and not stored.
fn imports() -> [(&'static str, u16, String); 5] {
    let file = |start: &str, end: &str, piece: &dyn Fn(usize) -> String| filled(start, end, piece);
    let circle = r#","x":{"parent":"y","message":{"author":{"role":"user"},"content":{"parts":["x"]}}},
        "y":{"parent":"x","message":{"author":{"role":"user"},"content":{"parts":["x"]}}}}}]"#;
    let parts = r#"[{"title":"T","mapping":{"a":{"message":{"author":{"role":"user"},"content":{"parts":["#;
    let orphan = r#",{"content":"","role":"user","parentId":"none"}]}]"#;
    [
        ("nested objects", 422, file("[", "]", &|_| r#"{"a":{"a":{"a":{}}}}"#.to_owned())),
        (
            "objects in a message",
            200,
            file(parts, "]}}}}}]", &|_| r#"{"aaaaaaaaaaaaaaaaaaaaa":0}"#.to_owned()),
        ),
        (
            "messages",
            200,
            file(r#"[{"id":"m","title":"T","messages":["#, orphan, &|_| {
                r#"{"content":"aaaaaaaaaaaaaaaaaaaa","role":"user"}"#.to_owned()
            }),
        ),
        ("nodes", 200, file(r#"[{"title":"T","mapping":{"#, "}}]", &|n| format!(r#""{n:08}":{{}}"#))),
        (
            "nodes that say something",
            200,
            file(r#"[{"title":"T","mapping":{"#, circle, &|n| {
                let text = "x".repeat(38);
                format!(
                    r#""{n}":{{"message":{{"author":{{"role":"user"}},"content":{{"parts":["{text}"]}}}}}}"#
                )
            }),
        ),
    ]
}

#[tokio::test]
async fn the_worst_bodies_need_at_most_128_megabytes() {
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
    let studio = studio().await;
    let user = studio.user("alice").await;
    let measured = Measured { studio: &studio, user: &user };
    let path = "/api/conversations/large";
    let of = |messages: Vec<Value>| json!({"id": "large", "title": "T", "messages": messages}).to_string();
    measured.check("large messages", 200, (Method::POST, "/api/conversations"), &of(large(0))).await;
    for part in 1..4 {
        let more = json!([{"id": "large", "title": "T", "messages": large(part * 100)}]);
        user.post("/api/import", &more).await.expect(200);
    }
    let mut changed = large(300);
    changed[3]["content"] = json!("Changed");
    let changed = of(changed);
    measured.check("15 MB stored", 200, (Method::PUT, path), &changed).await;
    let more = format!("[{}]", of(large(400)));
    measured.check("15 MB stored", 200, (Method::POST, "/api/import"), &more).await;
    for path in ["/api/conversations", "/api/conversations/large?branch=all", "/api/export"] {
        measured.check("19 MB stored", 200, (Method::GET, path), "").await;
    }
    // What would have to be in memory whole is refused, and what needs an outline alone is not.
    let refused = measured.check("19 MB stored", 422, (Method::PUT, path), &changed).await;
    assert!(refused.body["detail"].as_str().unwrap().contains("too large"), "{}", refused.text);
    let copy = json!({"messageId": "m200"}).to_string();
    measured.check("19 MB stored", 422, (Method::POST, "/api/conversations/large/fork"), &copy).await;
    let branch = json!({"currentMessageId": "m200"}).to_string();
    measured.check("19 MB stored", 200, (Method::PATCH, path), &branch).await;
}
