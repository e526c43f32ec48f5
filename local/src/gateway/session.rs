//! One open WebSocket, from the handshake to the disconnect route.

use std::{sync::Arc, time::Duration};

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use http::HeaderMap;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    connections::{Connection, MESSAGE_LIMIT, Outbound},
    websocket::{FAILED, Place, TIMED_OUT, WebSocketApi, trouble},
    websocket_event::{self, Happening, Origin},
};
use crate::lambda::{self, Outcome};

/// The maximum size of a frame of a client.
const FRAME_LIMIT: usize = 32 * 1024;
/// The maximum number of frames of one connection that functions handle at a time. Reading stops at this number, so
/// that a connection that sends many frames delays others only a little.
const FRAMES_IN_FLIGHT: usize = 4;
/// The time limit for a client to close its side.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// An open WebSocket.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) api: Arc<WebSocketApi>,
    pub(super) place: Place,
    pub(super) origin: Origin,
    /// The headers of the handshake.
    pub(super) headers: HeaderMap,
}

/// The end of a connection: the code and reason for the disconnect route, and for the client unless it closed the
/// connection.
struct End {
    code: u16,
    reason: String,
    tell: bool,
}

impl End {
    fn by_client(code: u16, reason: &str) -> Self {
        Self { code, reason: reason.to_owned(), tell: false }
    }

    fn by_gateway(code: CloseCode, reason: &str) -> Self {
        Self { code: code.into(), reason: reason.to_owned(), tell: true }
    }
}

impl Session {
    /// Transfers frames in both directions until the connection ends, and then calls the disconnect route once.
    pub(super) async fn run(self, upgraded: Upgraded, posts: mpsc::Receiver<Outbound>) {
        let config = WebSocketConfig::default()
            .read_buffer_size(8 * 1024)
            .max_frame_size(Some(FRAME_LIMIT))
            .max_message_size(Some(MESSAGE_LIMIT));
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        let (sink, mut stream) = socket.split();
        let (farewell, said) = oneshot::channel();
        let mut writer = tokio::spawn(write(sink, posts, said, self.place.connection.clone()));
        let end = self.read(&mut stream).await;
        self.place.connections.leave(&self.place.connection);
        if end.tell {
            farewell.send(CloseFrame { code: end.code.into(), reason: end.reason.clone().into() }).ok();
        } else {
            drop(farewell);
        }
        match timeout(CLOSE_TIMEOUT, &mut writer).await {
            Ok(Ok(sink)) => {
                let disconnect = self.disconnected(end.code, &end.reason);
                tokio::join!(disconnect, hang_up(stream, sink));
            }
            _ => {
                writer.abort();
                drop(stream);
                self.disconnected(end.code, &end.reason).await;
            }
        }
    }

    async fn read(&self, stream: &mut SplitStream<Socket>) -> End {
        let connection = &self.place.connection;
        let in_flight = Arc::new(Semaphore::new(FRAMES_IN_FLIGHT));
        let death = sleep_until(Instant::now() + self.api.life);
        tokio::pin!(death);
        loop {
            let idle_left = self.api.idle.saturating_sub(connection.idle());
            if idle_left.is_zero() {
                return End::by_gateway(CloseCode::Away, "Going away");
            }
            let frame = tokio::select! {
                frame = stream.next() => frame,
                () = sleep(idle_left) => continue,
                () = &mut death => return End::by_gateway(CloseCode::Away, "Going away"),
                () = self.api.closing.cancelled() => return End::by_gateway(CloseCode::Away, "Going away"),
                () = connection.cut.cancelled() => return End::by_client(1000, ""),
            };
            connection.touch();
            let text = match frame {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                other => return end_of(other),
            };
            tokio::select! {
                permit = in_flight.clone().acquire_owned() => self.dispatch(text.as_str(), permit.ok()),
                () = connection.cut.cancelled() => return End::by_client(1000, ""),
            }
        }
    }

    /// Passes a frame to its function. Frames are passed in order, without waiting for the end of earlier ones.
    fn dispatch(&self, frame: &str, permit: Option<OwnedSemaphorePermit>) {
        let route_key = self.api.select(frame);
        let request_id = lambda::request_id();
        let connection = self.place.connection.clone();
        let Some(function) = self.api.function(route_key) else {
            tokio::spawn(
                async move { connection.send(trouble("Forbidden", &connection, &request_id)).await },
            );
            return;
        };
        let happening = Happening::Message { route_key, body: frame };
        let event = websocket_event::event(&self.origin, &connection, &request_id, happening);
        let outcome = function.submit(event);
        let limit = self.api.integration_limit;
        tokio::spawn(async move {
            let _permit = permit;
            let message = match timeout(limit, lambda::outcome(outcome)).await {
                Ok(outcome) if is_answer(&outcome) => return,
                Ok(_) => FAILED,
                Err(_elapsed) => TIMED_OUT,
            };
            connection.send(trouble(message, &connection, &request_id)).await;
        });
    }

    /// Calls the disconnect route.
    pub(super) async fn disconnected(&self, code: u16, reason: &str) {
        let Some(function) = self.api.function("$disconnect") else {
            return;
        };
        let happening = Happening::Disconnect { headers: &self.headers, code, reason };
        let request_id = lambda::request_id();
        let event = websocket_event::event(&self.origin, &self.place.connection, &request_id, happening);
        // The cloud ignores failures of the disconnect route as well.
        function.invoke(event).await.ok();
    }
}

/// Whether a function answered. The answer is not sent to the client, because no route has a response.
fn is_answer(outcome: &Outcome) -> bool {
    outcome.as_ref().is_ok_and(lambda::is_json)
}

fn end_of(frame: Option<Result<Message, tungstenite::Error>>) -> End {
    match frame {
        Some(Ok(Message::Close(Some(frame)))) => End::by_client(frame.code.into(), frame.reason.as_str()),
        Some(Ok(Message::Close(None))) => End::by_client(1005, ""),
        Some(Ok(Message::Binary(_))) => {
            End::by_gateway(CloseCode::Unsupported, "Binary frames are not supported")
        }
        Some(Err(tungstenite::Error::Capacity(_))) => End::by_gateway(CloseCode::Size, "Message too long"),
        Some(Err(tungstenite::Error::Utf8(_))) => End::by_gateway(CloseCode::Invalid, "Not UTF-8"),
        Some(Err(tungstenite::Error::Protocol(_))) => End::by_gateway(CloseCode::Protocol, "Protocol error"),
        _ => End::by_client(1006, ""),
    }
}

/// Writes posts until the connection ends. A close frame is the last thing written.
async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut posts: mpsc::Receiver<Outbound>,
    mut farewell: oneshot::Receiver<CloseFrame>,
    connection: Arc<Connection>,
) -> SplitSink<Socket, Message> {
    loop {
        let post = tokio::select! {
            biased;
            said = &mut farewell => {
                if let Ok(frame) = said {
                    sink.send(Message::Close(Some(frame))).await.ok();
                } else {
                    // The client closed the connection; flushing answers its close frame.
                    sink.flush().await.ok();
                }
                return sink;
            }
            post = posts.recv() => post,
        };
        let sent = match post {
            Some(Outbound::Text(text)) => sink.send(Message::text(text)).await,
            Some(Outbound::Close) | None => {
                let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                sink.send(Message::Close(Some(normal))).await.ok();
                return sink;
            }
        };
        connection.touch();
        if sent.is_err() {
            connection.cut.cancel();
            return sink;
        }
    }
}

/// Ends the TCP connection so that the close frame arrives: reads and drops the bytes that the client still sends,
/// because unread bytes would reset the connection.
async fn hang_up(stream: SplitStream<Socket>, sink: SplitSink<Socket, Message>) {
    let Ok(socket) = stream.reunite(sink) else {
        return;
    };
    let mut socket = socket.into_inner();
    let ended = async {
        socket.shutdown().await.ok();
        let mut rest = vec![0; 16 * 1024];
        while socket.read(&mut rest).await.is_ok_and(|length| length > 0) {}
    };
    timeout(CLOSE_TIMEOUT, ended).await.ok();
}
