//! Invalid input is refused with a reason, is not echoed, and changes nothing.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, TestStudio, User, path_of, send, shared_studio};

/// Part of refused input. No answer may contain it.
const ECHO: &str = "ECHO7f3a";

const JSON: &str = "application/json";

/// Checks that an answer refuses a request with one of these statuses, gives a reason, and does not echo the input.
#[track_caller]
fn assert_refused(answer: &Answer, statuses: &[u16], what: &str) {
    let what: String = what.chars().take(200).collect();
    assert!(statuses.contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
    let reason = answer.body["detail"].as_str().or(answer.body["message"].as_str());
    assert!(reason.is_some_and(|reason| !reason.is_empty() && reason.len() < 500), "{what}: {}", answer.text);
    assert!(!answer.text.contains(ECHO), "{what}: {}", answer.text);
}

async fn send_text(client: &Client, method: &Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    send(client.request(method.clone(), path).header(CONTENT_TYPE, JSON).body(body)).await
}

/// Routes that read a body, with a valid body.
fn routes(username: &str) -> Vec<(Method, &'static str, Value)> {
    let message =
        json!({"id": "m", "role": "user", "content": "hello", "timestamp": 1, "model": "gpt-4", "tokens": 1});
    let conversation = json!({"title": "T", "messages": [message], "createdAt": 1, "updatedAt": 2, "model": "gpt-4",
        "systemPrompt": "P"});
    vec![
        (
            Method::POST,
            "/api/auth/register",
            json!({"username": format!("{username}-new"), "email": format!("{username}-new@example.com"), "password": PASSWORD}),
        ),
        (Method::POST, "/api/auth/login", json!({"username": username, "password": PASSWORD})),
        (Method::POST, "/api/conversations", conversation.clone()),
        (Method::PUT, "/api/conversations/kept", conversation),
        (
            Method::POST,
            "/api/chat",
            json!({"messages": [message], "model": "m", "temperature": 1, "max_tokens": 9}),
        ),
    ]
}

/// A user with a conversation, and everything the user can read.
async fn scene(studio: &TestStudio) -> (User, [Value; 3]) {
    let user = studio.user("alice").await;
    user.conversation("kept", &["as", "it", "is"]).await;
    let before = view(&user).await;
    (user, before)
}

async fn view(user: &User) -> [Value; 3] {
    let (me, list) = (user.get("/api/auth/me").await, user.get("/api/conversations").await);
    [me.expect(200).body, list.expect(200).body, user.get("/api/stats/detailed").await.expect(200).body]
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_on_every_route() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (method, path, good) in routes(&user.username) {
        let good_text = good.to_string();
        let within = |value: &str| good_text.replacen('{', &format!("{{\"x\":{value},"), 1);
        let texts = [
            String::new(),
            "{".to_owned(),
            ECHO.to_owned(),
            format!("{good_text}x"),
            format!("{good_text}{good_text}"),
            good_text.replacen('{', "{,", 1),
            good_text.replacen('"', "'", 2),
            within("NaN"),
            within("01"),
            within("\"\\x\""),
            within("\"\u{1}\""),
            within(&nested(32)),
            within(&nested(50_000)),
            nested(100_000),
            "null".to_owned(),
            "[]".to_owned(),
            "7".to_owned(),
            format!("\"{ECHO}\""),
            "\u{feff}{}".to_owned(),
        ];
        for text in texts {
            let answer = send_text(&user, &method, path, text.clone()).await;
            assert_refused(&answer, &[422], &format!("{method} {path} {text}"));
        }
        for bytes in [b"{\"title\":\"\xff\"}".to_vec(), b"\xff\xfe{\0}\0".to_vec(), vec![0; 100]] {
            assert_refused(&send_text(&user, &method, path, bytes).await, &[422], path);
        }
    }
    assert_eq!(view(&user).await, before);
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_refused_in_every_field() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    let wrong = [json!(true), json!([ECHO]), json!({ECHO: ECHO}), json!([{ECHO: [ECHO]}]), json!(-7.5)];
    for (method, path, good) in routes(&user.username) {
        for place in places(&good, "") {
            for value in &wrong {
                let mut body = good.clone();
                *body.pointer_mut(&place).unwrap() = value.clone();
                let answer = send_json(&user, &method, path, &body).await;
                assert_refused(&answer, &[422], &format!("{method} {path} {place} {value}"));
            }
        }
    }
    assert_eq!(view(&user).await, before);
}

/// The JSON pointers of all fields.
fn places(value: &Value, at: &str) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (format!("{at}/{name}"), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(n, value)| (format!("{at}/{n}"), value)).collect()
        }
        _ => Vec::new(),
    };
    // A chat ignores the ids and times of messages.
    let counts =
        |place: &str| !(at.starts_with("/messages/") && IGNORED_BY_CHAT.iter().any(|f| place.ends_with(f)));
    let here = inner.iter().map(|(place, _)| place.clone()).filter(|place| counts(place));
    let deeper = inner.iter().flat_map(|(place, value)| places(value, place));
    here.chain(deeper).collect()
}

const IGNORED_BY_CHAT: [&str; 4] = ["/id", "/timestamp", "/model", "/tokens"];

async fn send_json(user: &User, method: &Method, path: &str, body: &Value) -> Answer {
    send(user.request(method.clone(), path).json(body)).await
}

/// Fields of a conversation, with invalid values.
fn bad_values() -> Vec<(&'static str, Vec<Value>)> {
    let too_large: Value = serde_json::from_str("99999999999999999999999").unwrap();
    let control = format!("{ECHO}\0");
    vec![
        (
            "id",
            vec![json!(""), json!("x".repeat(129)), json!(control), json!("a\nb"), json!("\u{85}"), json!(7)],
        ),
        ("title", vec![json!(""), json!(null), json!(ECHO.repeat(33)), json!(control), json!("\u{7f}")]),
        ("model", vec![json!(""), json!(ECHO.repeat(17)), json!(control)]),
        (
            "createdAt",
            vec![json!(-1), json!(1.5), json!("1"), too_large.clone(), json!(253_402_207_200_001_u64)],
        ),
        (
            "updatedAt",
            vec![json!(-1), json!(1e300), json!(ECHO), too_large.clone(), json!(u64::MAX), json!(i64::MIN)],
        ),
        ("systemPrompt", vec![json!(7), json!(ECHO.repeat(8193))]),
        ("messages", vec![json!(null), json!(ECHO), json!({})]),
        ("messages[0].id", vec![json!(""), json!(ECHO.repeat(17)), json!(control), json!(7)]),
        ("messages[0].role", vec![json!(""), json!("User"), json!(ECHO), json!("tool"), json!(null)]),
        ("messages[0].content", vec![json!(null), json!(7), json!([ECHO]), json!(ECHO.repeat(8193))]),
        (
            "messages[0].timestamp",
            vec![json!(-1), json!(0.5), json!(ECHO), too_large.clone(), json!(u64::MAX)],
        ),
        ("messages[0].model", vec![json!(""), json!(control)]),
        ("messages[0].tokens", vec![json!(-1), json!(1.5), json!(1_000_000_001), too_large, json!(ECHO)]),
        ("messages[0]", vec![json!(null), json!(ECHO), json!([])]),
    ]
}

#[tokio::test]
async fn an_invalid_field_is_named_and_its_value_not_echoed() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    for (field, values) in bad_values() {
        for value in values {
            let mut body = json!({"title": "T", "messages": [{"id": "m", "role": "user", "content": "x"}]});
            match field.strip_prefix("messages[0].") {
                Some(inner) => body["messages"][0][inner] = value.clone(),
                None if field == "messages[0]" => body["messages"][0] = value.clone(),
                None => body[field] = value.clone(),
            }
            for (method, path) in
                [(Method::POST, "/api/conversations"), (Method::PUT, "/api/conversations/kept")]
            {
                let answer = send_json(&user, &method, path, &body).await;
                assert_refused(&answer, &[422], &format!("{method} {field} {value}"));
                assert_eq!(answer.body["errors"][0]["field"], field, "{value}: {}", answer.text);
            }
        }
    }
    assert_eq!(view(&user).await, before);
}

#[tokio::test]
async fn duplicate_and_missing_fields_are_refused() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    let twice = json!({"title": "T", "messages": [{"id": ECHO, "role": "user", "content": "x"},
        {"id": "b", "role": "user", "content": "x"}, {"id": ECHO, "role": "user", "content": "y"}]});
    for (method, path) in [(Method::POST, "/api/conversations"), (Method::PUT, "/api/conversations/kept")] {
        let answer = send_json(&user, &method, path, &twice).await;
        assert_refused(&answer, &[422], "the same message id twice");
        assert_eq!(answer.body["errors"][0]["field"], "messages[2].id");
        let repeated = format!("{{\"title\":\"{ECHO}\",\"title\":\"{ECHO}\"}}");
        assert_refused(&send_text(&user, &method, path, repeated).await, &[422], "the same field twice");
        let missing = json!({"messages": [{"id": "m", "role": "user"}], "title": "T"});
        let answer = send_json(&user, &method, path, &missing).await;
        assert!(answer.body["detail"].as_str().unwrap().contains("content"), "{}", answer.text);
    }
    assert_eq!(view(&user).await, before);
}

#[tokio::test]
async fn another_content_type_is_415() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    let types = [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonx"),
        Some(ECHO),
        Some(""),
    ];
    for (method, path, good) in routes(&user.username) {
        for content_type in types {
            let mut request = user.request(method.clone(), path).body(good.to_string());
            if let Some(content_type) = content_type {
                request = request.header(CONTENT_TYPE, content_type);
            }
            assert_refused(&send(request).await, &[415], &format!("{method} {path} {content_type:?}"));
        }
    }
    assert_eq!(view(&user).await, before);
}

#[tokio::test]
async fn an_unknown_route_is_the_404_of_the_gateway() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    let wrong = [
        (Method::GET, "/api/auth/register"),
        (Method::GET, "/api/auth/login"),
        (Method::POST, "/health"),
        (Method::PUT, "/api/conversations"),
        (Method::DELETE, "/api/conversations"),
        (Method::POST, "/api/conversations/kept"),
        (Method::DELETE, "/api/conversations/kept/"),
        (Method::GET, "/api/conversations/kept/more"),
        (Method::GET, "/api/chat"),
        (Method::PUT, "/api/chat"),
        (Method::DELETE, "/api/stats"),
        (Method::GET, "/api"),
        (Method::GET, "/ECHO7f3a"),
        (Method::GET, "//"),
    ];
    for (method, path) in wrong {
        let answer = send(user.request(method.clone(), path).json(&json!({"title": "T"}))).await;
        assert_refused(&answer, &[404], &format!("{method} {path}"));
        assert_eq!(answer.body, json!({"message": "Not Found"}), "{method} {path}");
    }
    for id in ["\0", "a\nb", &"x".repeat(129), &"x".repeat(5000)] {
        let path = path_of(id);
        for method in [Method::GET, Method::DELETE] {
            assert_refused(&send(user.request(method, &path)).await, &[404], &path);
        }
        assert_refused(&user.put(&path, &json!({"title": "T", "messages": []})).await, &[404], &path);
    }
    assert_eq!(view(&user).await, before);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    let (small, large) = (256 * 1024, 4 * 1024 * 1024);
    for (method, path, good) in routes(&user.username) {
        let limit = if path.starts_with("/api/auth") { small } else { large };
        let good = good.to_string();
        let filled = |length: usize| {
            let filler = length - good.len();
            good.replacen('{', &format!("{}{{", " ".repeat(filler)), 1)
        };
        // A body of exactly the limit is accepted.
        if path != "/api/conversations" && path != "/api/conversations/kept" {
            assert_eq!(send_text(&user, &method, path, filled(limit)).await.status, 200, "{method} {path}");
        }
        let answer = send_text(&user, &method, path, filled(limit + 1)).await;
        assert_refused(&answer, &[413], &format!("{method} {path}"));
        assert_eq!(answer.body["code"], "body_too_large");
    }
    // The gateway refuses what is too large for a function.
    for megabytes in [7, 11] {
        let body = " ".repeat(megabytes * 1024 * 1024);
        let answer = send_text(&user, &Method::POST, "/api/conversations", body).await;
        assert_refused(&answer, &[413], "the gateway's limit");
        assert_eq!(answer.body, json!({"message": "Request Entity Too Large"}));
    }
    let after = view(&user).await;
    assert_eq!(after[1..], before[1..]);
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.conversation("kept", &["x"]).await;
    for (method, path, mut body) in routes(&user.username) {
        body["isAdmin"] = json!(true);
        body["password_hash"] = json!(ECHO);
        body["user_id"] = json!([1, {"deep": null}]);
        if let Some(message) = body["messages"].get_mut(0) {
            message["status"] = json!("running");
            message["number"] = json!(-7);
        }
        let answer = send_json(&user, &method, path, &body).await.expect(200);
        assert!(!answer.text.contains(ECHO) && !answer.text.contains("running"), "{}", answer.text);
    }
    let list = user.get("/api/conversations").await.expect(200);
    assert!(!list.text.contains(ECHO) && !list.text.contains("isAdmin") && !list.text.contains("status"));
}

#[tokio::test]
async fn a_conversation_of_more_messages_than_can_be_stored_at_once_is_refused() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    let body = json!({"title": "T", "messages": vec![json!({"content": "", "role": "user"}); 90_000]});
    for (method, path) in [(Method::POST, "/api/conversations"), (Method::PUT, "/api/conversations/kept")] {
        let answer = send_json(&user, &method, path, &body).await;
        assert_refused(&answer, &[422], "100,000 messages");
        assert_eq!(answer.body["errors"][0]["field"], "messages");
    }
    assert_eq!(view(&user).await, before);
}
