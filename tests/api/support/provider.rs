//! A provider of models that does as it is told, over real sockets and in the protocols of OpenAI and Anthropic.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{TestStudio, studio_with};

/// The key of both providers.
pub(crate) const KEY: &str = "sk-test-key-that-nobody-may-see";

/// What the provider does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers with this status, these headers and this body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Closes the connection without a word.
    Reset,
    /// Says nothing until the client goes.
    Silence,
    /// Streams these bytes, each in a chunk of its own, with a pause behind each, and then ends as it is told.
    Stream(Vec<Vec<u8>>, Duration, Ending),
}

/// How a stream ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// In good order.
    Proper,
    /// The connection is cut.
    Cut,
    /// It does not: nothing more comes until the client goes.
    Never,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// In lower case, each with a colon behind its name.
    pub(crate) head: String,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

#[derive(Default)]
struct State {
    script: VecDeque<Act>,
    titles: VecDeque<Act>,
    asked: Vec<Asked>,
    /// How often each thing was asked, by what the user said.
    calls: HashMap<String, u64>,
    left: u64,
}

/// What a user's words can begin with, to have the provider fail: at the first call of three of them, at each of the others.
pub(crate) const FAULTS: [&str; 8] = ["!500", "fine", "!429", "!cut", "fine", "!reset", "!error", "!slow"];

/// The provider. Without a script it repeats what the user said.
#[derive(Clone)]
pub(crate) struct Provider {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = serving.clone();
                tokio::spawn(async move { provider.serve(stream).await });
            }
        });
        provider
    }

    /// The base address as OpenAI's clients want it.
    pub(crate) fn openai(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The base address as Anthropic's clients want it.
    pub(crate) fn anthropic(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What is done with the next requests for titles, one after another.
    pub(crate) fn script_titles(&self, acts: impl IntoIterator<Item = Act>) {
        self.state.lock().unwrap().titles.extend(acts);
    }

    /// What is done with the next requests, one after another. Those for titles, which come whenever an earlier reply has
    /// ended, are not among them.
    pub(crate) fn script(&self, acts: impl IntoIterator<Item = Act>) {
        self.state.lock().unwrap().script.extend(acts);
    }

    /// All requests since the last call of this.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// How often each thing was asked, by what the user said.
    pub(crate) fn calls(&self) -> HashMap<String, u64> {
        self.state.lock().unwrap().calls.clone()
    }

    /// How many clients went before their answer was complete.
    pub(crate) fn left(&self) -> u64 {
        self.state.lock().unwrap().left
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        while let Some(asked) = request(&mut stream, &mut buffer).await {
            let act = {
                let mut state = self.state.lock().unwrap();
                state.asked.push(asked.clone());
                let said = said(&asked);
                let is_for_title = said.starts_with("User:");
                let calls = state.calls.entry(said).or_default();
                *calls += 1;
                let calls = *calls;
                let script = if is_for_title { &mut state.titles } else { &mut state.script };
                script.pop_front().unwrap_or_else(|| behave(&asked, calls))
            };
            if !self.perform(&mut stream, act).await {
                return;
            }
        }
    }

    /// Whether the connection can be used again.
    async fn perform(&self, stream: &mut TcpStream, act: Act) -> bool {
        match act {
            Act::Answer(status, headers, body) => {
                let headers: String =
                    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.is_ok()
            }
            Act::Reset => false,
            Act::Silence => self.wait_until_left(stream).await,
            Act::Stream(parts, pause, ending) => self.stream(stream, parts, pause, ending).await,
        }
    }

    async fn stream(
        &self,
        stream: &mut TcpStream,
        parts: Vec<Vec<u8>>,
        pause: Duration,
        ending: Ending,
    ) -> bool {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.set_nodelay(true).unwrap();
        let mut sent = stream.write_all(head.as_bytes()).await;
        for part in parts {
            let chunk = [format!("{:x}\r\n", part.len()).into_bytes(), part, b"\r\n".to_vec()].concat();
            sent = match sent {
                Ok(()) => stream.write_all(&chunk).await,
                gone => gone,
            };
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        if sent.is_err() {
            self.state.lock().unwrap().left += 1;
            return false;
        }
        match ending {
            Ending::Proper => stream.write_all(b"0\r\n\r\n").await.is_ok(),
            Ending::Cut => false,
            Ending::Never => self.wait_until_left(stream).await,
        }
    }

    async fn wait_until_left(&self, stream: &mut TcpStream) -> bool {
        let mut byte = [0; 1];
        while stream.read(&mut byte).await.is_ok_and(|count| count > 0) {}
        self.state.lock().unwrap().left += 1;
        false
    }
}

/// Reads one request; what follows it stays in the buffer.
pub(crate) async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Asked> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        (stream.read_buf(buffer).await.ok()? > 0).then_some(())?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next()?.parse().ok());
    let length: usize = length.unwrap_or(0);
    while buffer.len() < end + length {
        (stream.read_buf(buffer).await.ok()? > 0).then_some(())?;
    }
    let body = serde_json::from_slice(&buffer[end..end + length]).unwrap_or(Value::Null);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    buffer.drain(..end + length);
    Some(Asked { path, head, body, at: Instant::now() })
}

/// A studio whose models are those of this provider, with more variables.
pub(crate) async fn studio_of(provider: &Provider, more: &[(&str, &str)]) -> TestStudio {
    studio_with(|options| {
        let options = options
            .variable("OPENAI_API_KEY", KEY)
            .variable("OPENAI_BASE_URL", provider.openai())
            .variable("ANTHROPIC_API_KEY", KEY)
            .variable("ANTHROPIC_BASE_URL", provider.anthropic());
        more.iter().fold(options, |options, (name, value)| options.variable(*name, *value))
    })
    .await
}

/// Which of the two protocols a test speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    OpenAi,
    Anthropic,
}

impl Protocol {
    /// A model of this provider.
    pub(crate) fn model(self) -> &'static str {
        match self {
            Self::OpenAi => "gpt-4o",
            Self::Anthropic => "claude-sonnet-4-5",
        }
    }

    /// The event that carries this text.
    pub(crate) fn text(self, text: &str) -> String {
        match self {
            Self::OpenAi => {
                event(&json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}))
            }
            Self::Anthropic => event(
                &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
            ),
        }
    }

    /// The event that carries a thought.
    pub(crate) fn thought(self, text: &str) -> String {
        match self {
            Self::OpenAi => event(&json!({"choices": [{"index": 0, "delta": {"reasoning_content": text}}]})),
            Self::Anthropic => event(
                &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": text}}),
            ),
        }
    }

    /// What comes before the first text.
    pub(crate) fn begin(self, read: u64) -> String {
        match self {
            Self::OpenAi => {
                event(&json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}))
            }
            Self::Anthropic => {
                let usage = json!({"input_tokens": read, "output_tokens": 1, "cache_read_input_tokens": 0});
                let start =
                    json!({"type": "message_start", "message": {"role": "assistant", "usage": usage}});
                let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
                let ping = event(&json!({"type": "ping"}));
                format!("event: message_start\n{}{}event: ping\n{ping}", event(&start), event(&block))
            }
        }
    }

    /// What comes behind the last text, with what was counted; the mark of the end stands apart.
    pub(crate) fn finish(self, reason: &str, read: u64, written: u64) -> String {
        match self {
            Self::OpenAi => {
                let usage = json!({"prompt_tokens": read, "completion_tokens": written});
                let finish = event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}));
                format!("{finish}{}", event(&json!({"choices": [], "usage": usage})))
            }
            Self::Anthropic => {
                let reason = match reason {
                    "length" => "max_tokens",
                    _ => "end_turn",
                };
                let usage = json!({"output_tokens": written});
                event(&json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}))
            }
        }
    }

    /// The mark of the end.
    pub(crate) fn done(self) -> String {
        match self {
            Self::OpenAi => "data: [DONE]\n\n".to_owned(),
            Self::Anthropic => event(&json!({"type": "message_stop"})),
        }
    }

    /// An error in the middle of a stream.
    pub(crate) fn error(self, kind: &str) -> String {
        let error = json!({"type": kind, "message": "internal-detail sk-secret"});
        match self {
            Self::OpenAi => event(&json!({"error": error})),
            Self::Anthropic => event(&json!({"type": "error", "error": error})),
        }
    }

    /// All of a good answer in one text.
    pub(crate) fn whole(self, texts: &[&str]) -> String {
        let texts: String = texts.iter().map(|text| self.text(text)).collect();
        format!("{}{texts}{}{}", self.begin(7), self.finish("stop", 7, 3), self.done())
    }

    /// The same as an act.
    pub(crate) fn answer(self, texts: &[&str]) -> Act {
        proper([self.whole(texts)])
    }
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// A stream of these texts, at once, that ends in good order.
pub(crate) fn proper(parts: impl IntoIterator<Item = String>) -> Act {
    stream(parts, Ending::Proper)
}

/// A stream of these texts that ends as it is told.
pub(crate) fn stream(parts: impl IntoIterator<Item = String>, ending: Ending) -> Act {
    Act::Stream(parts.into_iter().map(String::into_bytes).collect(), Duration::ZERO, ending)
}

/// A refusal as providers word it, with what must never reach a client.
pub(crate) fn refusal(status: u16, headers: Vec<(&'static str, String)>) -> Act {
    let body = json!({"error": {"type": "some_error", "message": "internal-detail sk-secret"}});
    Act::Answer(status, headers, body.to_string())
}

/// What the user said last.
pub(crate) fn said(asked: &Asked) -> String {
    let last =
        asked.body["messages"].as_array().and_then(|messages| messages.last()).cloned().unwrap_or_default();
    let content = &last["content"];
    content.as_str().or_else(|| content[0]["text"].as_str()).unwrap_or_default().to_owned()
}

/// Repeats what the user said last, word by word, unless that asks for a fault. Titles are none of its business.
fn behave(asked: &Asked, calls: u64) -> Act {
    let protocol = if asked.path.ends_with("/messages") { Protocol::Anthropic } else { Protocol::OpenAi };
    let text = said(asked);
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    let half = || {
        let texts = words.iter().take(words.len() / 2).map(|word| protocol.text(word));
        std::iter::once(protocol.begin(7)).chain(texts).collect::<Vec<_>>()
    };
    match (words.first().map(|word| word.trim()), calls) {
        (Some("!500"), 1) => refusal(500, Vec::new()),
        (Some("!429"), 1) => refusal(429, vec![("retry-after", "0.2".to_owned())]),
        (Some("!reset"), 1) => Act::Reset,
        (Some("!cut"), _) => stream(half(), Ending::Cut),
        (Some("!error"), _) => proper(half().into_iter().chain([protocol.error("overloaded_error")])),
        (Some("!slow"), _) => {
            let mut parts = half();
            parts.extend([protocol.finish("stop", 7, 5), protocol.done()]);
            Act::Stream(
                parts.into_iter().map(String::into_bytes).collect(),
                Duration::from_millis(300),
                Ending::Proper,
            )
        }
        (Some("User:"), _) => refusal(400, Vec::new()),
        _ => protocol.answer(&words),
    }
}
