//! A fake provider that plays recorded streams. The message of the user names the case.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::{Asked, last_words, request};

/// The steps of a recorded answer, and of a recorded title.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    pub(crate) answer: Vec<Value>,
    pub(crate) title: Option<Vec<Value>>,
}

impl Case {
    /// Reads the case of this name from `tests/api/providers/streams`.
    pub(crate) fn read(name: &str) -> Self {
        let path = format!("{}/tests/api/providers/streams/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let steps = |name: &str| case[name].as_array().cloned();
        Self { answer: steps("stream").unwrap(), title: steps("title_stream") }
    }
}

/// The fake provider of recorded cases.
#[derive(Clone)]
pub(crate) struct CaseProvider {
    pub(crate) port: u16,
    cases: Arc<HashMap<String, Case>>,
    asked: Arc<Mutex<HashMap<String, Vec<Asked>>>>,
}

impl CaseProvider {
    pub(crate) async fn start(cases: impl IntoIterator<Item = (String, Case)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let provider = Self { port, cases: Arc::new(cases.into_iter().collect()), asked: Arc::default() };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = serving.clone();
                tokio::spawn(async move { provider.serve(stream).await });
            }
        });
        provider
    }

    /// The requests of a case, without those for titles.
    pub(crate) fn asked(&self, case: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().get(case).cloned().unwrap_or_default()
    }

    async fn serve(&self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut buffer = Vec::new();
        while let Some(asked) = request(&mut stream, &mut buffer).await {
            let words = last_words(&asked);
            let name = words.trim_start_matches("User: ").lines().next().unwrap_or_default().to_owned();
            let case = self.cases.get(&name).cloned().unwrap_or_default();
            let is_title = words.starts_with("User: ");
            let is_fallback = asked.body["model"] == "claude-haiku-4-5";
            if !is_title {
                self.asked.lock().unwrap().entry(name).or_default().push(asked);
            }
            let steps = match case.title {
                _ if is_fallback => fine(),
                Some(title) if is_title => title,
                None if is_title => vec![serde_json::json!({"status": 400})],
                _ => case.answer,
            };
            if play(&mut stream, &steps).await.is_none() {
                return;
            }
        }
    }
}

/// The answer of the fallback model.
fn fine() -> Vec<Value> {
    let protocol = super::Protocol::Anthropic;
    vec![serde_json::json!({"send": protocol.whole(&["Fallback."])})]
}

/// Plays the steps of an answer; none if the connection cannot be reused.
async fn play(stream: &mut TcpStream, steps: &[Value]) -> Option<()> {
    let (head, steps) = match steps.split_first() {
        Some((head, steps)) if head.get("status").is_some() => (head.clone(), steps),
        _ => (serde_json::json!({"status": 200, "headers": {"content-type": "text/event-stream"}}), steps),
    };
    let headers = head["headers"].as_object().cloned().unwrap_or_default();
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.as_str().unwrap())).collect();
    let status = &head["status"];
    let head = format!("HTTP/1.1 {status} X\r\n{headers}transfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    for step in steps {
        perform(stream, step).await?;
    }
    stream.write_all(b"0\r\n\r\n").await.ok()
}

/// Plays one step; none if the connection is gone.
async fn perform(stream: &mut TcpStream, step: &Value) -> Option<()> {
    if let Some(seconds) = step["wait_seconds"].as_f64() {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        return Some(());
    }
    if step["reset"] == true {
        stream.set_zero_linger().ok()?;
    }
    let encoded = || STANDARD.decode(step["send_base64"].as_str()?).ok();
    let bytes = step["send"].as_str().map(|text| text.as_bytes().to_vec()).or_else(encoded)?;
    let chunk = [format!("{:x}\r\n", bytes.len()).into_bytes(), bytes, b"\r\n".to_vec()].concat();
    stream.write_all(&chunk).await.ok()
}
