//! Providers written by others: llmock, which imitates both and checks its clients, and a small local model.
//! `.ci/run` installs them; without them the tests say so and check nothing.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::{Answer, User, eventually, studio_with};

/// A program in the folder that `.ci/run` installs to.
fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::temp_dir().join("studio-ci-models/bin").join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: {} is not installed; .ci/run installs it", path.display());
    None
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running llmock.
struct Llmock {
    url: String,
    client: reqwest::Client,
    _child: Child,
}

impl Llmock {
    async fn start() -> Option<Self> {
        let program = installed("llmock")?;
        let port = free_port();
        let mut command = Command::new(program);
        command.args([
            "serve",
            "--host",
            "127.0.0.1",
            "--response-style",
            "echo",
            "--port",
            &port.to_string(),
        ]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        let (url, client) = (format!("http://127.0.0.1:{port}"), reqwest::Client::new());
        eventually("llmock is up", async || client.get(format!("{url}/health")).send().await.ok()).await;
        Some(Self { url, client, _child: child })
    }

    /// Replaces the faults that the next calls meet.
    async fn play(&self, behaviors: Value) {
        self.client.post(format!("{}/_llmock/reset", self.url)).send().await.unwrap();
        if behaviors == json!([]) {
            return;
        }
        let body = json!({ "behaviors": behaviors });
        let answer =
            self.client.post(format!("{}/_llmock/scenario", self.url)).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// The complaints of llmock about its client: protocol errors and excessive retries.
    async fn verdict(&self) -> Value {
        let answer = self.client.get(format!("{}/_llmock/verdict", self.url)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}

async fn ask(user: &User, model: &str) -> Answer {
    let messages =
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "one two three"}]);
    user.post("/api/chat", &json!({"messages": messages, "model": model})).await
}

#[tokio::test]
async fn llmock_accepts_requests_and_retries() {
    let Some(llmock) = Llmock::start().await else { return };
    let studio = studio_with(|options| {
        options
            .variable("OPENAI_API_KEY", "sk-x")
            .variable("OPENAI_BASE_URL", format!("{}/v1", llmock.url))
            .variable("ANTHROPIC_API_KEY", "sk-x")
            .variable("ANTHROPIC_BASE_URL", format!("{}/anthropic", llmock.url))
    })
    .await;
    let user = studio.user("alice").await;
    for model in ["gpt-4o", "claude-sonnet-4-5"] {
        llmock.play(json!([])).await;
        let answer = ask(&user, model).await.expect(200).body;
        assert!(answer["content"].as_str().unwrap().contains("one two three"), "{answer}");
        assert!(answer["tokens"].as_u64().unwrap() > 2 && answer["finish_reason"] == "stop", "{answer}");
        // Temporary errors are retried after the pause that the provider asks for.
        for fault in [
            json!({"type": "fail", "status": 429, "retry_after": 1, "times": 1}),
            json!({"type": "fail", "status": 500, "times": 1}),
            json!({"type": "fail", "status": 503, "times": 1}),
        ] {
            llmock.play(json!([fault])).await;
            let answer = ask(&user, model).await.expect(200).body;
            assert!(answer["content"].as_str().unwrap().contains("one two three"), "{fault}: {answer}");
            let verdict = llmock.verdict().await;
            assert!(verdict["passed"] == true && verdict["errors"] == 0, "{verdict}");
        }
        // An interrupted answer is kept and not requested again.
        for kind in ["disconnect", "truncate", "malformed"] {
            llmock.play(json!([{"type": "stream_fault", "kind": kind, "after_chunks": 5}])).await;
            let answer = ask(&user, model).await.expect(200).body;
            assert_eq!(answer["finish_reason"], "interrupted", "{kind}: {answer}");
            assert!(!answer["content"].as_str().unwrap().is_empty(), "{kind}: {answer}");
            let verdict = llmock.verdict().await;
            assert_eq!(verdict["attempts"], 1, "{kind}: {verdict}");
        }
        llmock.play(json!([{"type": "fail", "status": 401, "times": 1}])).await;
        assert_eq!(ask(&user, model).await.expect(502).body["code"], "model_misconfigured");
    }
}

#[tokio::test]
async fn a_real_local_model_answers_token_by_token() {
    let Some(python) = installed("python") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/small_model.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
    let Ok(Ok(Some(address))) = address else {
        eprintln!("skipped: the small model is not installed; .ci/run installs it");
        return;
    };
    let more = r#"[{"id": "smollm2", "provider": "openai", "context_window": 2048, "max_output": 512}]"#;
    let studio = studio_with(|options| {
        options
            .variable("OPENAI_API_KEY", "none")
            .variable("OPENAI_BASE_URL", format!("{address}/v1"))
            .variable("MODELS", more)
            .variable("DEFAULT_MODEL", "smollm2")
    })
    .await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let chat = json!({"type": "chat", "conversationId": "c", "content": "Say hello to my friend Bob.", "temperature": 0, "max_tokens": 24});
    let (text, complete) = connection.chat(&chat).await;
    assert!(text.len() > 5 && complete["content"] == text, "{complete}");
    let tokens = complete["tokens"].as_u64().unwrap();
    assert!((3..=24).contains(&tokens) && complete["seq"].as_u64() > Some(1), "{complete}");
    let usage = user.get("/api/usage").await.expect(200).body;
    assert!(usage["models"]["smollm2"]["input_tokens"].as_u64() > Some(10), "{usage}");
}
