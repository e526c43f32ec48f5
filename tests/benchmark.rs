//! Code that all benchmarks share.

use local::Studio;
use serde_json::{Value, json};

/// Whether `cargo bench` runs this program. `cargo test --benches` runs benchmarks too, where they do nothing.
pub(crate) fn is_asked_for() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Registers a user with this name and returns an access token.
pub(crate) async fn register(studio: &Studio, name: &str) -> String {
    let body = json!({"username": name, "email": format!("{name}@example.com"), "password": "a long enough passphrase"});
    let url = format!("{}/api/auth/register", studio.url());
    let answer: Value =
        reqwest::Client::new().post(url).json(&body).send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}
