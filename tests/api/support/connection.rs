//! WebSocket connections.

use std::collections::VecDeque;
use std::time::Instant;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::poll::WAIT_TIMEOUT;

/// A WebSocket connection.
pub(crate) struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    seen: VecDeque<Value>,
}

impl Connection {
    /// Opens a connection at this address; the HTTP status if it is refused.
    pub(crate) async fn open(address: &str) -> Result<Self, u16> {
        match timeout(WAIT_TIMEOUT, connect_async(address)).await.expect("an answer to the connect") {
            Ok((socket, _)) => Ok(Self { socket, seen: VecDeque::new() }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens a connection from a page of this origin.
    pub(crate) async fn open_from(address: &str, origin: &str) -> Result<Self, u16> {
        let mut request = address.into_client_request().expect("an address");
        request.headers_mut().insert("origin", origin.parse().expect("an origin"));
        match timeout(WAIT_TIMEOUT, connect_async(request)).await.expect("an answer to the connect") {
            Ok((socket, _)) => Ok(Self { socket, seen: VecDeque::new() }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends a frame, unless the connection is gone.
    pub(crate) async fn try_send(&mut self, frame: &Value) -> Result<(), tungstenite::Error> {
        self.socket.send(Message::text(frame.to_string())).await
    }

    /// The next frame from the network; none if the connection is gone.
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

    /// Fails if an unexpected frame is waiting: the next frame must be the answer to a ping.
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

    /// The next frame of this type. Frames before it are kept for later.
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

    /// All frames that were received but not returned yet.
    pub(crate) fn unasked(&self) -> Vec<&Value> {
        self.seen.iter().collect()
    }

    async fn receive(&mut self) -> Value {
        let deadline = Instant::now() + WAIT_TIMEOUT;
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

    /// Waits until the server closes the connection, and returns its close frame.
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
        timeout(WAIT_TIMEOUT, closed).await.expect("the server closes the connection")
    }

    /// Closes the connection with a closing handshake.
    pub(crate) async fn close(mut self) {
        self.socket.close(None).await.expect("the connection closes");
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// Sends a turn, and returns the text of the chunks and the completing frame.
    pub(crate) async fn chat(&mut self, frame: &Value) -> (String, Value) {
        self.send(frame).await;
        self.reply().await
    }

    /// Waits for the end of the running reply: the text of the chunks, which must be numbered from 0 without a gap,
    /// and the completing frame.
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
                // The end of a reply that is longer than a frame begins with snapshots.
                Some(
                    "chat_accepted" | "chat_snapshot" | "chat_title" | "user_typing" | "user_disconnected",
                ) => {}
                _ => panic!("unexpected: {frame}"),
            }
        }
    }
}
