//! Errors name known fields and positions, but never echo input: no unknown field, value, node name or query
//! parameter.

use reqwest::Method;
use serde_json::{Value, json};

use crate::input::bad_routes::{ECHO, routes};
use crate::support::{Answer, Client, send, shared_studio};

#[track_caller]
fn assert_silent(answer: &Answer, what: &str) {
    assert!(!answer.text.contains(ECHO), "{what}: {}", answer.text.chars().take(300).collect::<String>());
    assert!(answer.text.len() < 2000, "{what}: {} bytes", answer.text.len());
}

/// Field names that look like the end of a parser message.
fn names() -> Vec<String> {
    vec![
        ECHO.to_owned(),
        format!("{ECHO}`, there are no fields"),
        format!("{ECHO}, expected `{ECHO}`"),
        format!("{ECHO} at line 1 column 2"),
        format!("{ECHO}{}", "x".repeat(250_000)),
        format!("{ECHO}\n\u{0}\"\\"),
    ]
}

/// Routes of accounts, which the table of conversations lacks.
fn of_accounts() -> Vec<(Method, &'static str, Value)> {
    let post = |path, body| (Method::POST, path, body);
    vec![
        post("/api/auth/refresh", json!({"refresh_token": "x"})),
        post("/api/auth/keys", json!({"name": "n"})),
        post("/api/auth/email/verify", json!({"token": "x"})),
        post("/api/auth/password/forgot", json!({"email": "a@example.com"})),
        post("/api/auth/password/reset", json!({"token": "x", "new_password": "y"})),
        post("/api/auth/totp/confirm", json!({"code": "1"})),
        (Method::PATCH, "/api/auth/me", json!({"display_name": "A"})),
        (Method::PUT, "/api/auth/password", json!({"old_password": "x", "new_password": "y"})),
    ]
}

async fn ask(user: &Client, method: &Method, path: &str, body: &Value) -> Answer {
    send(user.request(method.clone(), path).json(body)).await
}

#[tokio::test]
async fn errors_do_not_echo_unknown_field_names() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.conversation("kept", &["as", "it", "is"]).await;
    let strict = routes().into_iter().filter(|route| route.strict && !route.good.is_null());
    let mut bodies: Vec<(Method, String, Value)> =
        strict.map(|route| (route.method(), route.path(), route.good)).collect();
    bodies.extend(of_accounts().into_iter().map(|(method, path, body)| (method, path.to_owned(), body)));
    for (method, path, good) in bodies {
        for name in names() {
            let mut body = good.clone();
            body[&name] = json!({ECHO: [ECHO]});
            let answer = ask(&user, &method, &path, &body).await;
            let what = format!("{method} {path} {}", name.chars().take(40).collect::<String>());
            assert_eq!(answer.status, 422, "{what}: {}", answer.text);
            assert_silent(&answer, &what);
        }
    }
}

#[tokio::test]
async fn errors_do_not_echo_values_of_the_wrong_type() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let values = names().into_iter().flat_map(|name| [json!(name), json!([name]), json!({ &name: name })]);
    for value in values {
        for (method, path, body) in [
            (Method::POST, "/api/chat", json!({"messages": [{"role": value, "content": "x"}]})),
            (
                Method::POST,
                "/api/chat",
                json!({"messages": [{"role": "user", "content": "x"}], "temperature": value}),
            ),
            (Method::POST, "/api/conversations", json!({"title": "T", "createdAt": value})),
            (Method::PATCH, "/api/conversations/c", json!({"pinned": value})),
            (Method::POST, "/api/conversations/delete", json!({"ids": value, "all": value})),
            (Method::POST, "/api/auth/keys", json!({"name": "n", "expires_in_days": value})),
        ] {
            let answer = ask(&user, &method, path, &body).await;
            assert!(matches!(answer.status, 404 | 413 | 422), "{method} {path}: {}", answer.text);
            assert_silent(&answer, path);
        }
        let entry = json!([{"title": "T", "messages": value}, {"title": "T", "mapping": value}, {"title": "T", "chat": value}]);
        let answer = ask(&user, &Method::POST, "/api/import", &entry).await.expect(200);
        assert_eq!(answer.body["errors"].as_array().unwrap().len(), 3, "{}", answer.text);
        assert_silent(&answer, "/api/import");
    }
}

#[tokio::test]
async fn errors_do_not_echo_frames() {
    let studio = shared_studio().await;
    let mut connection = studio.user("alice").await.connect().await;
    for name in names().into_iter().filter(|name| name.len() < 20_000) {
        for frame in [
            json!({"type": "chat", "content": "x", "max_tokens": name}),
            json!({"type": "chat", "content": {&name: name}}),
            json!({"type": "stop", "messageId": [name]}),
            json!({"type": name}),
        ] {
            connection.send(&frame).await;
            let answer = connection.try_next().await.expect("an answer").to_string();
            assert!(answer.contains("error") && !answer.contains(ECHO), "{frame}: {answer}");
        }
    }
}
