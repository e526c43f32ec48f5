//! Those who use a studio in a test: a visitor, a user, and a window with an open WebSocket.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::Deref;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use local::{Options, Studio};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::conform::send;
use crate::support::deployed::{Deployment, deployment, unique};

/// How long anything may take before a test gives up; long, since other tests run beside this one.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A studio: a local one that is stopped with the test, or a deployed one.
pub(crate) struct TestStudio {
    local: Option<Studio>,
    at: Deployment,
    client: reqwest::Client,
}

/// Faults, logs, instances and the rest are those of the local studio.
impl Deref for TestStudio {
    type Target = Studio;

    fn deref(&self) -> &Studio {
        self.local.as_ref().expect("a test that looks into a studio has a local one")
    }
}

/// A studio in memory, whose offline model does not dawdle.
pub(crate) async fn studio() -> TestStudio {
    match deployment() {
        Some(at) => TestStudio { local: None, at, client: reqwest::Client::new() },
        None => studio_with(|options| options).await,
    }
}

/// The same with other options.
pub(crate) async fn studio_with(change: impl FnOnce(Options) -> Options) -> TestStudio {
    let options =
        change(Options::default().variable("OFFLINE_TOKEN_DELAY_MS", "1").variable("RATE_LIMIT", "0"));
    let studio = Studio::start(options).await.expect("the studio starts");
    let at = Deployment { url: studio.url(), ws_url: studio.ws_url() };
    TestStudio { local: Some(studio), at, client: reqwest::Client::new() }
}

impl TestStudio {
    /// Somebody without a token.
    pub(crate) fn visitor(&self) -> Client {
        Client { client: self.client.clone(), url: self.at.url.clone(), token: None }
    }

    /// Somebody without a token at another address of this machine, `127.x.y.z`.
    pub(crate) fn visitor_at(&self, address: [u8; 4]) -> Client {
        let client = reqwest::Client::builder().local_address(IpAddr::from(address)).build();
        Client { client: client.expect("a client"), ..self.visitor() }
    }

    /// A new user with this name (and something behind it, where others may have it), and a password that is not told.
    pub(crate) async fn user(&self, username: &str) -> User {
        let username = &if self.local.is_some() { username.to_owned() } else { unique(username) };
        let registration = json!({
            "username": username, "email": format!("{username}@example.com"), "password": PASSWORD,
        });
        let answer = self.visitor().post("/api/auth/register", &registration).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let token = answer.body["access_token"].as_str().expect("a token").to_owned();
        let client = Client { token: Some(token.clone()), ..self.visitor() };
        let me = client.get("/api/auth/me").await;
        let id = me.body["id"].as_str().expect("an id").to_owned();
        User { client, id, token, username: username.to_owned(), ws_url: self.at.ws_url.clone() }
    }

    /// A window that has not authenticated.
    pub(crate) async fn window(&self) -> Window {
        Window::open(&self.at.ws_url).await.expect("the connection opens")
    }

    /// The mails, as the mailbox shows them.
    pub(crate) async fn shown_mails(&self) -> Answer {
        send(self.client.get(self.mailbox_url())).await
    }

    /// Stops everything; data in a folder stays there.
    pub(crate) async fn stop(self) {
        if let Some(studio) = self.local {
            studio.stop().await;
        }
    }
}

/// The password of every user of these tests.
pub(crate) const PASSWORD: &str = "a long enough passphrase";

/// Somebody who sends requests, with a token or without.
#[derive(Clone)]
pub(crate) struct Client {
    client: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body as it is.
    pub(crate) text: String,
    /// The body as JSON; null when it is none.
    pub(crate) body: Value,
}

impl Answer {
    /// The text of a header; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The same, when the status is this one; fails the test otherwise.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Client {
    /// The same client with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A request that can be changed before it is sent with [`send`].
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url)).timeout(PATIENCE);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PATCH, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }
}

/// Somebody with a token.
pub(crate) struct User {
    client: Client,
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) username: String,
    ws_url: String,
}

/// Requests of a user carry the token.
impl Deref for User {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl User {
    /// A window that connects with the token and waits for `auth_success`.
    pub(crate) async fn window(&self) -> Window {
        let address = format!("{}?token={}", self.ws_url, self.token);
        let mut window = Window::open(&address).await.expect("the connection opens");
        window.next("auth_success").await;
        window
    }

    /// The same, unless something goes wrong.
    pub(crate) async fn try_window(&self) -> Option<Window> {
        let mut window = Window::open(&self.ws_url).await.ok()?;
        window.try_send(&json!({"type": "auth", "token": self.token})).await.ok()?;
        while window.try_next().await?["type"] != "auth_success" {}
        Some(window)
    }

    /// A conversation of this user with this id and these messages of alternating roles.
    pub(crate) async fn conversation(&self, id: &str, messages: &[&str]) -> Value {
        let role = |number: usize| if number.is_multiple_of(2) { "user" } else { "assistant" };
        let messages: Vec<Value> = messages.iter().enumerate().map(|(number, content)| {
            json!({"id": format!("m{number}"), "role": role(number), "content": content, "timestamp": 1_795_300_000_000_u64})
        }).collect();
        let body = json!({"id": id, "title": format!("About {id}"), "messages": messages, "model": "gpt-4",
            "createdAt": 1_795_300_000_000_u64, "updatedAt": 1_795_300_000_000_u64});
        self.post("/api/conversations", &body).await.expect(200).body
    }
}

/// An open WebSocket.
pub(crate) struct Window {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    seen: VecDeque<Value>,
}

impl Window {
    /// Opens a WebSocket at this address; the status, when it is refused.
    pub(crate) async fn open(address: &str) -> Result<Self, u16> {
        match timeout(PATIENCE, connect_async(address)).await.expect("an answer to the connect") {
            Ok((socket, _)) => Ok(Self { socket, seen: VecDeque::new() }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// The same from a page of this origin, as a browser says it.
    pub(crate) async fn open_from(address: &str, origin: &str) -> Result<Self, u16> {
        let mut request = address.into_client_request().expect("an address");
        request.headers_mut().insert("origin", origin.parse().expect("an origin"));
        match timeout(PATIENCE, connect_async(request)).await.expect("an answer to the connect") {
            Ok((socket, _)) => Ok(Self { socket, seen: VecDeque::new() }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// The same, unless the window is gone.
    pub(crate) async fn try_send(&mut self, frame: &Value) -> Result<(), tungstenite::Error> {
        self.socket.send(Message::text(frame.to_string())).await
    }

    /// The next frame that was not seen before; none when the window is gone.
    pub(crate) async fn try_next(&mut self) -> Option<Value> {
        loop {
            if let Message::Text(text) = self.socket.next().await?.ok()? {
                return Some(serde_json::from_str(&text).expect("frames are JSON"));
            }
        }
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the frame is sent");
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).await.expect("the frame is sent");
    }

    /// Makes sure that nothing came but what was asked for: the very next frame is the answer to a ping.
    pub(crate) async fn is_quiet(&mut self) {
        self.send(&json!({"type": "ping"})).await;
        assert_eq!(self.next_any().await, json!({"type": "pong"}));
    }

    /// The next frame of any type.
    pub(crate) async fn next_any(&mut self) -> Value {
        if let Some(frame) = self.seen.pop_front() {
            return frame;
        }
        self.receive().await
    }

    /// The next frame of this type; those before it are kept for later.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        if let Some(position) = self.seen.iter().position(|frame| frame["type"] == kind) {
            return self.seen.remove(position).expect("a frame");
        }
        loop {
            let frame = self.receive().await;
            if frame["type"] == kind {
                return frame;
            }
            self.seen.push_back(frame);
        }
    }

    /// All that was received and not asked for.
    pub(crate) fn unasked(&self) -> Vec<&Value> {
        self.seen.iter().collect()
    }

    async fn receive(&mut self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = timeout(left, self.socket.next()).await;
            let message = message.unwrap_or_else(|_| panic!("no frame came; before: {:?}", self.seen));
            match message.expect("the connection is open").expect("a frame") {
                Message::Text(text) => return serde_json::from_str(&text).expect("frames are JSON"),
                Message::Close(frame) => panic!("closed: {frame:?}; before: {:?}", self.seen),
                _ => {}
            }
        }
    }

    /// Waits until the server closes the connection: the frame that says why, when there is one.
    pub(crate) async fn closed(&mut self) -> Option<CloseFrame> {
        let closed = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Close(frame))) => return frame,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        };
        timeout(PATIENCE, closed).await.expect("the server closes the connection")
    }

    /// Closes it as a browser does.
    pub(crate) async fn close(mut self) {
        self.socket.close(None).await.expect("the connection closes");
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// Sends a chat, and gives the chunks' text and the frame that completes it.
    pub(crate) async fn chat(&mut self, frame: &Value) -> (String, Value) {
        self.send(frame).await;
        self.reply().await
    }

    /// Waits for the end of the reply that is coming: the chunks' text, and the frame that completes it. The chunks
    /// must be numbered from 0 without a gap.
    pub(crate) async fn reply(&mut self) -> (String, Value) {
        let mut text = String::new();
        let mut seq = 0;
        loop {
            let frame = self.next_any().await;
            match frame["type"].as_str() {
                Some("chat_chunk") => {
                    assert_eq!(frame["seq"], seq, "chunks come in order");
                    text.push_str(frame["content"].as_str().expect("text"));
                    seq += 1;
                }
                Some("chat_complete") => return (text, frame),
                // A snapshot is a part of the end of a reply that is longer than a frame.
                Some(
                    "chat_accepted" | "chat_snapshot" | "chat_title" | "user_typing" | "user_disconnected",
                ) => {}
                _ => panic!("unexpected: {frame}"),
            }
        }
    }
}

/// Polls until `found` finds something.
pub(crate) async fn eventually<T, F>(what: &str, found: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    eventually_each(Duration::from_millis(20), what, found).await
}

/// Polls with this pause, where to look costs more.
pub(crate) async fn eventually_each<T, F>(pause: Duration, what: &str, mut found: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(it) = found().await {
            return it;
        }
        assert!(Instant::now() < deadline, "never came about: {what}");
        tokio::time::sleep(pause).await;
    }
}
