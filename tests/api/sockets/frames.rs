//! Opening and authenticating connections, frames other than chat, and invalid frames.

use serde_json::{Value, json};

use crate::support::{Connection, PASSWORD, TestStudio, User, own_studio, shared_studio, studio_with};

/// The frame that authenticates a connection.
fn auth(token: &str) -> Value {
    json!({"type": "auth", "token": token})
}

fn address(studio: &TestStudio, rest: &str) -> String {
    format!("{}{rest}", studio.ws_url())
}

/// Fails unless `auth_failed` arrives and the connection is closed.
async fn assert_cast_out(mut connection: Connection) {
    let frame = connection.next_any().await;
    assert_eq!(frame["type"], "auth_failed", "{frame}");
    assert!(frame["message"].is_string(), "{frame}");
    connection.closed().await;
}

fn assert_refusal(frame: &Value, code: &str) {
    assert!(frame["type"] == "error" && frame["code"] == code, "{frame} is no {code}");
    assert!(frame["message"].as_str().is_some_and(|message| !message.is_empty()), "{frame}");
}

#[tokio::test]
async fn a_connect_with_a_token_is_authenticated_without_an_auth_frame() {
    let studio = own_studio().await;
    let alice = studio.user("alice").await;
    // Keeps every connection open: closing one would send a frame to the next.
    let mut connections = Vec::new();
    for rest in [format!("?token={}", alice.token), format!("/{}?token={}", alice.id, alice.token)] {
        let mut connection = Connection::open(&address(&studio, &rest)).await.unwrap();
        let greeting = connection.next_any().await;
        assert_eq!(greeting["type"], "auth_success", "{greeting}");
        assert!(greeting["message"].is_string(), "{greeting}");
        assert!(greeting["data"]["session_id"].as_str().unwrap().starts_with("sess_"), "{greeting}");
        connection.is_quiet().await;
        connections.push(connection);
    }
}

#[tokio::test]
async fn a_connect_with_a_bad_token_or_to_another_users_address_is_refused() {
    let studio = own_studio().await;
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    for token in ["", "garbage", "a.b.c", &format!("{}x", alice.token)] {
        let refused = Connection::open(&address(&studio, &format!("?token={token}"))).await.err();
        assert_eq!(refused, Some(401), "{token:?}");
    }
    for rest in [format!("/{}?token={}", bob.id, alice.token), format!("/nobody?token={}", alice.token)] {
        assert_eq!(Connection::open(&address(&studio, &rest)).await.err(), Some(403), "{rest}");
    }
    assert_eq!(studio.connections(), 0);
}

#[tokio::test]
async fn an_auth_frame_gives_the_connection_to_its_user() {
    let studio = own_studio().await;
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    // One connection for each user: closing one would send a frame to another of its user.
    for (user, rest) in [(&alice, String::new()), (&bob, format!("/{}", bob.id))] {
        let mut connection = Connection::open(&address(&studio, &rest)).await.unwrap();
        connection.send(&auth(&user.token)).await;
        let answer = connection.next_any().await;
        assert_eq!(answer["type"], "auth_success", "{answer}");
        assert!(answer["data"]["session_id"].is_string(), "{answer}");
        connection.is_quiet().await;
    }
    let mut connection = Connection::open(&address(&studio, &format!("/{}", bob.id))).await.unwrap();
    connection.send(&auth(&alice.token)).await;
    assert_cast_out(connection).await;
}

#[tokio::test]
async fn a_bad_token_in_an_auth_frame_closes_the_connection() {
    let studio = shared_studio().await;
    let alice = studio.user("alice").await;
    let bad = [
        json!({"type": "auth"}),
        json!({"type": "auth", "token": 5}),
        json!({"type": "auth", "token": null}),
        json!({"type": "auth", "token": ""}),
        json!({"type": "auth", "token": "\u{0}你好"}),
        json!({"type": "auth", "token": "x".repeat(20_000)}),
        json!({"type": "auth", "data": {"token": alice.token}}),
    ];
    for frame in &bad {
        let mut connection = studio.connect().await;
        connection.send(frame).await;
        assert_cast_out(connection).await;
    }
}

#[tokio::test]
async fn an_expired_token_opens_no_connection() {
    let studio = studio_with(|options| options.variable("ACCESS_TOKEN_EXPIRE_MINUTES", "0")).await;
    let registration = json!({"username": "alice", "email": "a@example.com", "password": PASSWORD});
    let answer = studio.visitor().post("/api/auth/register", &registration).await.expect(200);
    let token = answer.body["access_token"].as_str().unwrap();
    assert_eq!(Connection::open(&address(&studio, &format!("?token={token}"))).await.err(), Some(401));
    let mut connection = studio.connect().await;
    connection.send(&auth(token)).await;
    assert_cast_out(connection).await;
}

#[tokio::test]
async fn before_authentication_every_frame_is_refused_and_has_no_effect() {
    let studio = shared_studio().await;
    let alice = studio.user("alice").await;
    let mut connection = studio.connect().await;
    let frames = [
        r#"{"type":"ping"}"#,
        r#"{"type":"chat","content":"hello","conversationId":"c"}"#,
        r#"{"type":"typing"}"#,
        r#"{"type":"nonsense"}"#,
        "not JSON",
    ];
    for frame in frames {
        connection.send_text(frame).await;
    }
    for _ in frames {
        assert_refusal(&connection.next_any().await, "unauthenticated");
    }
    // The connection can still authenticate, and the refused frames have no effect afterwards.
    connection.send(&auth(&alice.token)).await;
    assert_eq!(connection.next_any().await["type"], "auth_success");
    connection.is_quiet().await;
    assert_eq!(alice.get("/api/conversations").await.expect(200).body, json!([]));
}

#[tokio::test]
async fn a_frame_sent_right_after_the_auth_frame_works() {
    let studio = shared_studio().await;
    let alice = studio.user("alice").await;
    let mut connection = studio.connect().await;
    connection.send(&auth(&alice.token)).await;
    connection.send(&json!({"type": "ping"})).await;
    connection.next("auth_success").await;
    connection.next("pong").await;
    assert!(connection.unasked().is_empty(), "{:?}", connection.unasked());
}

#[tokio::test]
async fn a_connection_can_renew_its_token_but_not_change_its_user() {
    let studio = own_studio().await;
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    let login = json!({"username": "alice", "password": PASSWORD});
    let login = studio.visitor().post("/api/auth/login", &login).await.expect(200);
    let mut connection = alice.connect().await;
    connection.send(&auth(login.body["access_token"].as_str().unwrap())).await;
    assert_eq!(connection.next_any().await["type"], "auth_success");
    connection.is_quiet().await;
    connection.send(&auth(&bob.token)).await;
    assert_cast_out(connection).await;
    let health = studio.visitor().get("/health").await.expect(200);
    assert!(health.body["active_connections"].as_u64().unwrap() <= 1, "{}", health.text);
}

#[tokio::test]
async fn a_ping_with_extra_fields_of_an_old_client_is_answered() {
    let studio = shared_studio().await;
    let mut connection = studio.user("alice").await.connect().await;
    let data = json!({"timestamp": 1, "nested": [{"a": null}]});
    for frame in [json!({"type": "ping"}), json!({"type": "ping", "data": data, "timestamp": "x"})] {
        connection.send(&frame).await;
        assert_eq!(connection.next_any().await, json!({"type": "pong"}));
    }
}

/// Two connections of one user, and one of another user.
async fn three_connections(studio: &TestStudio) -> (User, [Connection; 3]) {
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    let connections = [alice.connect().await, alice.connect().await, bob.connect().await];
    (alice, connections)
}

#[tokio::test]
async fn typing_is_shown_only_on_other_connections_of_the_user() {
    let studio = shared_studio().await;
    let (alice, [mut typing, mut other, mut strange]) = three_connections(&studio).await;
    typing.send(&json!({"type": "typing", "conversationId": "c 1", "is_typing": true})).await;
    let shown = json!({"type": "user_typing", "user_id": alice.id, "conversationId": "c 1"});
    assert_eq!(other.next_any().await, shown);
    typing.send(&json!({"type": "typing", "data": {}})).await;
    assert_eq!(other.next_any().await, json!({"type": "user_typing", "user_id": alice.id}));
    typing.send(&json!({"type": "typing", "conversationId": "\u{7}"})).await;
    assert_refusal(&typing.next_any().await, "invalid");
    for connection in [&mut typing, &mut other, &mut strange] {
        connection.is_quiet().await;
    }
}

#[tokio::test]
async fn a_closed_connection_is_announced_only_to_other_connections_of_the_user() {
    let studio = own_studio().await;
    let (alice, [closing, mut other, mut strange]) = three_connections(&studio).await;
    closing.close().await;
    assert_eq!(other.next_any().await, json!({"type": "user_disconnected", "user_id": alice.id}));
    other.is_quiet().await;
    strange.is_quiet().await;
    let health = studio.visitor().get("/health").await.expect(200);
    assert_eq!(health.body["active_connections"], 2, "{}", health.text);
}

#[tokio::test]
async fn an_invalid_frame_is_refused_and_the_connection_stays_open() {
    let studio = shared_studio().await;
    let mut connection = studio.user("alice").await.connect().await;
    let deep = format!(r#"{{"type":"chat","content":"x","data":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let bad = [
        (r#"{"type":"nonsense"}"#, "invalid"),
        (r#"{"type":"$connect"}"#, "invalid"),
        (r#"{"type":"$disconnect"}"#, "invalid"),
        (r#"{"type":"auth_success"}"#, "invalid"),
        (r#"{"type":5}"#, "invalid"),
        (r#"{"kind":"ping"}"#, "invalid"),
        ("[1]", "invalid"),
        ("null", "invalid"),
        ("not JSON", "malformed_json"),
        (r#"{"type":"chat""#, "malformed_json"),
        (" ", "malformed_json"),
        (deep.as_str(), "malformed_json"),
    ];
    for (frame, code) in bad {
        connection.send_text(frame).await;
        assert_refusal(&connection.next_any().await, code);
    }
    connection.is_quiet().await;
}

#[tokio::test]
async fn a_chat_that_breaks_a_rule_is_refused_and_stores_nothing() {
    let studio = shared_studio().await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    let long = "x".repeat(129);
    let bad = [
        json!({"content": null}),
        json!({"content": 5}),
        json!({"content": ""}),
        json!({"content": " \n\t"}),
        json!({"content": "x", "conversationId": ""}),
        json!({"content": "x", "conversationId": 5}),
        json!({"content": "x", "conversationId": long}),
        json!({"content": "x", "conversationId": "a\u{0}b"}),
        json!({"content": "x", "conversationId": "c", "id": ""}),
        json!({"content": "x", "conversationId": "c", "id": long}),
        json!({"content": "x", "conversationId": "c", "id": ["m"]}),
        json!({"content": "x", "conversationId": "c", "model": ""}),
        json!({"content": "x", "conversationId": "c", "temperature": 2.1}),
        json!({"content": "x", "conversationId": "c", "temperature": -0.1}),
        json!({"content": "x", "conversationId": "c", "temperature": "hot"}),
        json!({"content": "x", "conversationId": "c", "max_tokens": 0}),
        json!({"content": "x", "conversationId": "c", "max_tokens": -1}),
        json!({"content": "x", "conversationId": "c", "max_tokens": 1.5}),
        json!({"content": "x", "conversationId": "c", "max_tokens": 200_000}),
    ];
    for mut frame in bad {
        frame["type"] = json!("chat");
        connection.send(&frame).await;
        let answer = connection.next_any().await;
        let is_refusal = answer["type"] == "error" || answer["type"] == "chat_error";
        assert!(is_refusal && answer["code"] == "invalid", "{frame}: {answer}");
    }
    connection.is_quiet().await;
    assert_eq!(alice.get("/api/conversations").await.expect(200).body, json!([]));
}

#[tokio::test]
async fn a_lone_surrogate_is_refused_in_a_known_field_and_ignored_elsewhere() {
    let studio = shared_studio().await;
    let mut connection = studio.user("alice").await.connect().await;
    let bad = [
        ("content", r#"{"type":"chat","content":"\ud800"}"#),
        ("content", r#"{"type":"chat","content":"a\udc00b","conversationId":"c"}"#),
        ("id", r#"{"type":"chat","content":"x","conversationId":"c","id":"\ud83d"}"#),
        ("conversationId", r#"{"type":"chat","content":"x","conversationId":"\ud83d\u0041"}"#),
        ("model", r#"{"content":"x","model":"\udfff","type":"chat"}"#),
        ("messageId", r#"{"type":"stop","messageId":"\ud800"}"#),
        ("messageId", r#"{"type":"resume","messageId":"\ud800"}"#),
        ("messageId", r#"{"type":"regenerate","conversationId":"c","messageId":"\ud800"}"#),
        ("conversationId", r#"{"type":"typing","conversationId":"\ud800"}"#),
    ];
    for (field, frame) in bad {
        connection.send_text(frame).await;
        let answer = connection.next_any().await;
        assert_eq!(
            (&answer["type"], &answer["code"]),
            (&json!("error"), &json!("invalid")),
            "{frame}: {answer}"
        );
        assert!(answer["message"].as_str().unwrap().starts_with(&format!("{field}: ")), "{frame}: {answer}");
    }
    connection.send_text(r#"{"type":"ping","data":"\ud800"}"#).await;
    assert_eq!(connection.next_any().await, json!({"type": "pong"}));
    let mut connection = studio.connect().await;
    connection.send_text(r#"{"type":"auth","token":"\ud800"}"#).await;
    assert_cast_out(connection).await;
}

#[tokio::test]
async fn any_text_up_to_the_limit_is_returned_unchanged() {
    let studio = shared_studio().await;
    let mut connection = studio.user("alice").await.connect().await;
    let odd = "\u{0}\u{1}\u{7f} e\u{301} \u{202e}rtl\u{202c} 👩‍👩‍👧‍👦 \u{feff}\u{200d} \u{10ffff} \"\\/ \r\n\t";
    let huge = format!("{}{}", "好👍 ".repeat(500), "x".repeat(20_000));
    for content in [odd, huge.as_str()] {
        let (text, complete) = connection.chat(&json!({"type": "chat", "content": content})).await;
        assert!(text.ends_with(content), "{text:?}");
        // A text longer than a frame ends with its last part.
        assert!(text.ends_with(complete["content"].as_str().unwrap()), "{complete}");
        assert_eq!(complete["parts"].is_null(), text.len() < 20_000);
    }
}

#[tokio::test]
async fn frames_that_are_too_large_or_binary_close_the_connection() {
    let studio = shared_studio().await;
    let alice = studio.user("alice").await;
    let mut large = alice.connect().await;
    large.send(&json!({"type": "ping", "data": "x".repeat(33 * 1024)})).await;
    assert_eq!(u16::from(large.closed().await.unwrap().code), 1009);
    let mut binary = alice.connect().await;
    binary.send_binary(br#"{"type":"ping"}"#).await;
    assert_eq!(u16::from(binary.closed().await.unwrap().code), 1003);
}

#[tokio::test]
async fn only_allowed_origins_may_connect() {
    let options =
        |options: local::Options| options.variable("ALLOWED_ORIGINS", "https://a.example,http://b:1");
    let studio = studio_with(options).await;
    let alice = studio.user("alice").await;
    let with_token = address(&studio, &format!("?token={}", alice.token));
    for origin in ["https://a.example", "http://b:1"] {
        let mut connection = Connection::open_from(&with_token, origin).await.unwrap();
        connection.next("auth_success").await;
    }
    let strange = ["https://a.example.evil", "http://a.example", "https://A.example", "http://b", "null"];
    for origin in strange {
        assert_eq!(Connection::open_from(&with_token, origin).await.err(), Some(403), "{origin}");
        assert_eq!(Connection::open_from(studio.ws_url(), origin).await.err(), Some(403), "{origin}");
    }
    Connection::open(&with_token).await.unwrap().next("auth_success").await;
}
