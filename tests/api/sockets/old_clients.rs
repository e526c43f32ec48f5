//! WebSocket examples of the old documentation work.

use serde_json::json;

use crate::support::{Connection, TestStudio, studio_with};

/// The WebSocket address with a suffix.
fn address(studio: &TestStudio, rest: &str) -> String {
    format!("{}{rest}", studio.ws_url())
}

#[tokio::test]
async fn a_websocket_opens_at_any_user_id_and_its_first_frame_is_refused() {
    let studio = studio_with(|options| options).await;
    let long = format!("/{}", "x".repeat(2000));
    for path in ["/user_123", "/1", "/alice%40example.com", "/%E4%BD%A0%E5%A5%BD", "/%00", "?user_id=", &long]
    {
        let mut connection = Connection::open(&address(&studio, path)).await.unwrap();
        connection.send(&json!({"type": "ping", "data": {}})).await;
        let frame = connection.next_any().await;
        assert_eq!(frame["type"], "error", "{path}: {frame}");
        assert!(frame["message"].is_string(), "{frame}");
    }
}

#[tokio::test]
async fn a_user_id_that_differs_from_the_tokens_is_refused_when_the_token_arrives() {
    let studio = studio_with(|options| options).await;
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    for path in ["/user_123".to_owned(), format!("/{}", bob.id)] {
        let mut connection = Connection::open(&address(&studio, &path)).await.unwrap();
        connection.send(&json!({"type": "auth", "token": alice.token})).await;
        connection.next("auth_failed").await;
        connection.closed().await;
        let with_token = address(&studio, &format!("{path}?token={}", alice.token));
        assert_eq!(Connection::open(&with_token).await.err(), Some(403), "{path}");
    }
    for path in [String::new(), "/".to_owned(), format!("/{}", alice.id), "?user_id=".to_owned()] {
        let mut connection = Connection::open(&address(&studio, &path)).await.unwrap();
        connection.send(&json!({"type": "auth", "token": alice.token})).await;
        connection.next("auth_success").await;
    }
}

#[tokio::test]
async fn pages_of_the_studio_may_always_open_a_websocket() {
    let studio = studio_with(|options| options.variable("ALLOWED_ORIGINS", "https://a.example")).await;
    let url = studio.url();
    let port = url.rsplit(':').next().unwrap();
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let origin = format!("http://{host}:{port}");
        assert!(Connection::open_from(studio.ws_url(), &origin).await.is_ok(), "{origin}");
    }
    let strange =
        ["http://localhost", "http://localhost:1", "http://evil.example", "null"].map(str::to_owned);
    let of_ours = ["https://localhost", "http://localhost.evil.example", "http://evil.localhost"];
    for origin in strange.into_iter().chain(of_ours.map(|host| format!("{host}:{port}"))) {
        assert_eq!(Connection::open_from(studio.ws_url(), &origin).await.err(), Some(403), "{origin}");
    }
}

#[tokio::test]
async fn the_sockets_function_knows_the_models_without_permission_to_read_keys() {
    let with_key = studio_with(|options| {
        options.variable("OPENAI_API_KEY", "sk-1").variable("OPENAI_BASE_URL", "http://127.0.0.1:9")
    });
    let without = studio_with(|options| options);
    for (studio, code) in [(without.await, None), (with_key.await, Some("unknown_model"))] {
        let mut connection = studio.user("alice").await.connect().await;
        connection.send(&json!({"type": "chat", "content": "hello", "model": "no-such-model"})).await;
        let frame = connection.next_any().await;
        assert_eq!(frame["code"].as_str(), code, "{frame}");
        let environment = studio.environment("sockets");
        assert!(!environment.iter().any(|(name, _)| name.contains("API_KEY_ARN")), "{environment:?}");
    }
}
