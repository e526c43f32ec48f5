//! Fake providers of models: real sockets, the protocols of OpenAI and Anthropic, and answers that a test scripts.

mod act;
mod behaviour;
pub(crate) mod cases;
mod play;
mod protocol;
mod request;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};

use behaviour::behave;

pub(crate) use act::{Act, Ending, proper, refusal, stream};
pub(crate) use behaviour::FAULTS;
pub(crate) use protocol::Protocol;
pub(crate) use request::{Asked, last_words, request};

use crate::support::{TestStudio, studio_with};

/// The API key of both providers.
pub(crate) const KEY: &str = "sk-test-key-that-nobody-may-see";

#[derive(Default)]
struct State {
    script: VecDeque<Act>,
    titles: VecDeque<Act>,
    asked: Vec<Asked>,
    /// How often each message of a user was asked.
    calls: HashMap<String, u64>,
    left: u64,
}

/// A fake provider. Without a script it echoes the message of the user.
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

    /// The base address for clients of OpenAI.
    pub(crate) fn openai(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The base address for clients of Anthropic.
    pub(crate) fn anthropic(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Scripts the next requests for titles.
    pub(crate) fn script_titles(&self, acts: impl IntoIterator<Item = Act>) {
        self.state.lock().unwrap().titles.extend(acts);
    }

    /// Scripts the next requests, except those for titles, which arrive whenever an earlier reply has ended.
    pub(crate) fn script(&self, acts: impl IntoIterator<Item = Act>) {
        self.state.lock().unwrap().script.extend(acts);
    }

    /// All requests since the last call.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// How often each message of a user was asked.
    pub(crate) fn calls(&self) -> HashMap<String, u64> {
        self.state.lock().unwrap().calls.clone()
    }

    /// How many clients left before their answer was complete.
    pub(crate) fn left(&self) -> u64 {
        self.state.lock().unwrap().left
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        while let Some(asked) = request(&mut stream, &mut buffer).await {
            let act = {
                let mut state = self.state.lock().unwrap();
                state.asked.push(asked.clone());
                let said = last_words(&asked);
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
}

/// A studio whose models use this provider, with more variables.
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
