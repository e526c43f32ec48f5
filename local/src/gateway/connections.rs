//! The open WebSockets, and the `@connections` API that posts messages to them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use http::{Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    access::Caller,
    clock,
    dynamodb::Guards,
    faults::{ConnectionFault, Faults},
    http1::{self, Answer, Body, BodyError},
    sync::lock,
    template::{ACCOUNT, REGION, WebSocketDefinition},
};

/// The maximum size of a message in both directions.
pub(super) const MESSAGE_LIMIT: usize = 128 * 1024;
/// The number of posts that are queued for a slow client. Further posts wait.
const QUEUED_POSTS: usize = 16;
/// The time limit for delivering queued posts after a DELETE.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// A command to the writing half of a connection.
#[derive(Debug)]
pub(super) enum Outbound {
    Text(String),
    Close,
}

/// One WebSocket.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: String,
    pub(super) connected_at: i64,
    pub(super) source_ip: String,
    pub(super) user_agent: String,
    /// Whether the connect route has accepted the connection and DELETE has not closed it.
    open: AtomicBool,
    last_active: AtomicI64,
    outbound: mpsc::Sender<Outbound>,
    /// Ends the connection at once.
    pub(super) cut: CancellationToken,
}

impl Connection {
    /// Notes activity in either direction.
    pub(super) fn touch(&self) {
        self.last_active.store(clock::now_ms(), Ordering::Relaxed);
    }

    /// The time since the last activity.
    pub(super) fn idle(&self) -> Duration {
        let idle = clock::now_ms().saturating_sub(self.last_active.load(Ordering::Relaxed));
        Duration::from_millis(idle.try_into().unwrap_or_default())
    }

    /// Queues `text`. Waits while the queue of a slow client is full.
    pub(super) async fn send(&self, text: String) {
        tokio::select! {
            // Sending fails only if the connection has ended.
            sent = self.outbound.send(Outbound::Text(text)) => sent.ok(),
            () = self.cut.cancelled() => None,
        };
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}

/// The WebSockets of a studio.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    open: Arc<Mutex<HashMap<String, Arc<Connection>>>>,
    faults: Faults,
    /// The ARN of the stage, with which the ARNs of operations begin.
    stage_arn: Arc<str>,
}

impl Connections {
    pub(crate) fn new(guards: &Guards, api: Option<&WebSocketDefinition>) -> Self {
        let arn = api.map(|api| format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{}/{}", api.id, api.stage));
        Self {
            open: Arc::default(),
            faults: guards.faults.clone(),
            stage_arn: arn.unwrap_or_default().into(),
        }
    }

    /// The number of open connections.
    pub(crate) fn count(&self) -> usize {
        lock(&self.open).values().filter(|connection| connection.is_open()).count()
    }

    /// Registers a connection whose connect route is still running. Also returns the receiver of its posts.
    pub(super) fn enter(
        &self,
        source_ip: String,
        user_agent: String,
    ) -> (Arc<Connection>, mpsc::Receiver<Outbound>) {
        let (outbound, posts) = mpsc::channel(QUEUED_POSTS);
        let now = clock::now_ms();
        let connection = Arc::new(Connection {
            id: connection_id(),
            connected_at: now,
            source_ip,
            user_agent,
            open: AtomicBool::new(false),
            last_active: AtomicI64::new(now),
            outbound,
            cut: CancellationToken::new(),
        });
        lock(&self.open).insert(connection.id.clone(), connection.clone());
        (connection, posts)
    }

    /// Opens a connection for posts after its connect route has accepted it.
    pub(super) fn open(&self, connection: &Connection) {
        connection.touch();
        connection.open.store(true, Ordering::Release);
    }

    /// Removes a connection that has ended.
    pub(super) fn leave(&self, connection: &Connection) {
        connection.open.store(false, Ordering::Release);
        lock(&self.open).remove(&connection.id);
    }

    fn find(&self, id: &str) -> Option<Arc<Connection>> {
        lock(&self.open).get(id).filter(|connection| connection.is_open()).cloned()
    }

    /// Answers a call of `/{stage}/@connections/{id}`.
    pub(crate) async fn handle(&self, caller: &Caller, request: Request<Body>, id: &str) -> Answer {
        let id = percent_decode_str(id).decode_utf8_lossy();
        let operation = format!("{}/{}/@connections/{id}", self.stage_arn, request.method());
        if let Some(denied) = caller.refusal("execute-api:ManageConnections", &operation) {
            return http1::aws_error(StatusCode::FORBIDDEN, "ForbiddenException", &denied);
        }
        match self.faults.connection(&id) {
            Some(ConnectionFault::Gone) => {
                if let Some(connection) = self.find(&id) {
                    self.leave(&connection);
                }
                return gone();
            }
            Some(ConnectionFault::LimitExceeded) => {
                return http1::aws_error(
                    StatusCode::TOO_MANY_REQUESTS,
                    "LimitExceededException",
                    "Too Many Requests",
                );
            }
            Some(ConnectionFault::Hang) => std::future::pending().await,
            None => {}
        }
        let Some(connection) = self.find(&id) else {
            return gone();
        };
        match *request.method() {
            Method::POST => post(&connection, request.into_body()).await,
            Method::GET => describe(&connection),
            Method::DELETE => {
                self.leave(&connection);
                tokio::spawn(close(connection));
                http1::empty(StatusCode::NO_CONTENT)
            }
            _ => http1::aws_error(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden"),
        }
    }
}

/// Posts a message. A slow client delays only its own posts.
async fn post(connection: &Connection, body: Body) -> Answer {
    let body = match http1::read_body(body, MESSAGE_LIMIT).await {
        Ok(body) => body,
        Err(BodyError::TooLong) => {
            let (status, kind) = (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException");
            return http1::aws_error(status, kind, "Message too long");
        }
        Err(BodyError::Broken) => {
            return http1::aws_error(StatusCode::BAD_REQUEST, "BadRequestException", "Bad Request");
        }
    };
    let text = String::from_utf8_lossy(&body).into_owned();
    tokio::select! {
        sent = connection.outbound.send(Outbound::Text(text)) => match sent {
            Ok(()) => http1::empty(StatusCode::OK),
            Err(_) => gone(),
        },
        () = connection.cut.cancelled() => gone(),
    }
}

fn describe(connection: &Connection) -> Answer {
    let last_active = connection.last_active.load(Ordering::Relaxed);
    let body = serde_json::json!({
        "connectedAt": clock::rfc3339(connection.connected_at),
        "identity": { "sourceIp": connection.source_ip, "userAgent": connection.user_agent },
        "lastActiveAt": clock::rfc3339(last_active),
    });
    http1::json(StatusCode::OK, body.to_string())
}

/// Closes a connection after its queued posts, or after the time limit.
async fn close(connection: Arc<Connection>) {
    let queued = connection.outbound.send(Outbound::Close);
    tokio::time::timeout(DELIVERY_TIMEOUT, async {
        queued.await.ok();
        connection.outbound.closed().await;
    })
    .await
    .ok();
    connection.cut.cancel();
}

fn gone() -> Answer {
    http1::aws_error(StatusCode::GONE, "GoneException", "Gone")
}

/// A new id in the format of API Gateway: eleven bytes in base64, with `=` and sometimes `/` or `+`.
fn connection_id() -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let bytes: [u8; 11] = std::array::from_fn(|_| fastrand::u8(..));
    STANDARD.encode(bytes)
}
