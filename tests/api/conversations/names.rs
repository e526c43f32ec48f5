//! Names are visible and do not change the direction of the text beside them.

use reqwest::Method;
use serde_json::Value;

use crate::support::{User, send, shared_studio};

/// Every route and body that sets a name. `NAME` stands for the name.
const PLACES: [(&str, &str, &str); 8] = [
    ("POST", "/api/conversations", r#"{"title":"NAME","messages":[]}"#),
    ("PUT", "/api/conversations/c", r#"{"title":"NAME","messages":[]}"#),
    ("PATCH", "/api/conversations/c", r#"{"title":"NAME"}"#),
    ("PATCH", "/api/conversations/c", r#"{"folder":"NAME"}"#),
    ("PATCH", "/api/conversations/c", r#"{"tags":["NAME"]}"#),
    ("PATCH", "/api/conversations/c", r#"{"tags":["fine","NAME"]}"#),
    ("PATCH", "/api/auth/me", r#"{"display_name":"NAME"}"#),
    ("POST", "/api/auth/keys", r#"{"name":"NAME"}"#),
];

async fn name(user: &User, (method, path, body): (&str, &str, &str), name: &str) -> u16 {
    let body: Value = serde_json::from_str(&body.replace("NAME", name)).unwrap();
    send(user.request(Method::from_bytes(method.as_bytes()).unwrap(), path).json(&body)).await.status
}

#[tokio::test]
async fn invisible_names_and_names_that_change_text_direction_are_refused() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.conversation("c", &["x"]).await;
    let before = user.get("/api/conversations").await.expect(200).body;
    let bad = [
        " ",
        "\u{a0}\u{3000}",
        "\u{200b}",
        "\u{200d}\u{2060}",
        "\u{feff}",
        "\u{ad}",
        "\u{3164}",
        "\u{2800}",
        "\u{e0041}",
        "\u{fe0f}",
        "a\u{202e}b",
        "\u{202a}a",
        "a\u{2066}b\u{2069}",
        "\u{2067}",
    ];
    for place in PLACES {
        for bad in bad {
            assert_eq!(name(&user, place, bad).await, 422, "{place:?} {bad:?}");
        }
    }
    assert_eq!(user.get("/api/conversations").await.expect(200).body, before);
    for place in PLACES {
        for good in ["x", " x ", "好", "עברית\u{200f}", "👩\u{200d}👧", "-"] {
            assert_eq!(name(&user, place, good).await, 200, "{place:?} {good:?}");
        }
    }
}
