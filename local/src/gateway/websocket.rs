//! The WebSocket API: the connect route, and the handshake if it agrees.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{
        CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
    },
};
use hyper::upgrade::OnUpgrade;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connections::{Connection, Connections},
    http_event::{domain_of, text_of},
    session::Session,
    websocket_event::{self, Happening, Origin},
};
use crate::{
    http1::{self, Answer, Body},
    lambda::{self, Function, Functions, Outcome},
    template::WebSocketDefinition,
};

/// The WebSocket API.
#[derive(Debug)]
pub(crate) struct WebSocketApi {
    pub(crate) definition: WebSocketDefinition,
    pub(crate) functions: Arc<Functions>,
    pub(crate) connections: Connections,
    pub(crate) idle: Duration,
    pub(crate) life: Duration,
    /// The time limit for a function.
    pub(crate) integration_limit: Duration,
    /// The tasks of the open connections.
    pub(crate) sessions: TaskTracker,
    /// Closes all connections.
    pub(crate) closing: CancellationToken,
}

/// The registration of a connection, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) connections: Connections,
    pub(super) connection: Arc<Connection>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.leave(&self.connection);
    }
}

impl WebSocketApi {
    /// Whether `path` is an address of this API: `/{stage}` or `/{stage}/{user_id}`.
    pub(super) fn is_address(&self, path: &str) -> bool {
        self.user_in(path).is_some()
    }

    /// The percent-encoded user in a path, empty if there is none. `None` if the path does not belong to this API.
    fn user_in<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix('/')?.strip_prefix(self.definition.stage.as_str())?;
        match rest.strip_prefix('/') {
            Some(user) if !user.contains('/') => Some(user),
            None if rest.is_empty() => Some(""),
            _ => None,
        }
    }

    /// Answers a request to open a WebSocket, with 101 if the connect route accepts it.
    pub(super) async fn handle(self: Arc<Self>, mut request: Request<Body>, peer: SocketAddr) -> Answer {
        let Some(key) = handshake_key(&request) else {
            let mut answer = http1::empty(StatusCode::UPGRADE_REQUIRED);
            answer.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            return answer;
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, _body) = request.into_parts();
        let user = self.user_in(head.uri.path()).unwrap_or_default();
        let query = query_with(user, head.uri.query().unwrap_or_default());
        let origin = Origin {
            api_id: self.definition.id.clone(),
            stage: self.definition.stage.clone(),
            domain: domain_of(text_of(&head.headers, HOST.as_str())).to_owned(),
        };
        let source_ip = peer.ip().to_canonical().to_string();
        let user_agent = text_of(&head.headers, USER_AGENT.as_str()).to_owned();
        let (connection, posts) = self.connections.enter(source_ip, user_agent);
        let place = Place { connections: self.connections.clone(), connection };
        let protocol = match self.connect(&origin, &place.connection, &head.headers, &query).await {
            Ok(protocol) => protocol,
            Err(refusal) => return *refusal,
        };
        self.connections.open(&place.connection);
        let session = Session { api: self.clone(), place, origin, headers: head.headers };
        self.sessions.spawn(run(session, upgrade, posts));
        switching_protocols(&key, protocol)
    }

    /// Calls the connect route. Returns the subprotocol that it chose, or the answer that refuses the connection.
    async fn connect(
        &self,
        origin: &Origin,
        connection: &Connection,
        headers: &HeaderMap,
        query: &str,
    ) -> Result<Option<HeaderValue>, Box<Answer>> {
        let Some(function) = self.function("$connect") else {
            return Ok(None);
        };
        let request_id = lambda::request_id();
        let event =
            websocket_event::event(origin, connection, &request_id, Happening::Connect { headers, query });
        let refused =
            |status, message| Err(Box::new(http1::json(status, trouble(message, connection, &request_id))));
        match tokio::time::timeout(self.integration_limit, function.invoke(event)).await {
            Err(_elapsed) => refused(StatusCode::GATEWAY_TIMEOUT, TIMED_OUT),
            Ok(outcome) => match ConnectAnswer::read(outcome) {
                Some(answer) if answer.status.is_success() => Ok(answer.protocol),
                Some(answer) => Err(Box::new(http1::empty(answer.status))),
                None => refused(StatusCode::INTERNAL_SERVER_ERROR, FAILED),
            },
        }
    }

    /// The function of a route.
    pub(super) fn function(&self, route_key: &str) -> Option<&Arc<Function>> {
        self.definition.routes.get(route_key).and_then(|name| self.functions.find(name))
    }

    /// The route key that a frame selects, or `$default` if there is no such route. A frame cannot select routes such
    /// as `$connect`.
    pub(super) fn select(&self, frame: &str) -> &str {
        const DEFAULT: &str = "$default";
        let Ok(body) = serde_json::from_str::<serde_json::Value>(frame) else {
            return DEFAULT;
        };
        let selected = self.definition.selection.iter().try_fold(&body, |value, key| value.get(key));
        let key = selected.and_then(|value| value.as_str()).filter(|key| !key.starts_with('$'));
        key.and_then(|key| self.definition.routes.get_key_value(key)).map_or(DEFAULT, |(key, _)| key)
    }
}

async fn run(
    session: Session,
    upgrade: OnUpgrade,
    posts: tokio::sync::mpsc::Receiver<super::connections::Outbound>,
) {
    match upgrade.await {
        Ok(upgraded) => session.run(upgraded, posts).await,
        // The client disconnected before it received the 101.
        Err(_) => session.disconnected(1006, "").await,
    }
}

/// The message to a client if a function failed.
pub(super) const FAILED: &str = "Internal server error";
/// The message to a client if a function takes too long. The function continues.
pub(super) const TIMED_OUT: &str = "Endpoint request timed out";

/// The body of an error of the gateway about a frame or a connect.
pub(super) fn trouble(message: &str, connection: &Connection, request_id: &str) -> String {
    serde_json::json!({ "message": message, "connectionId": connection.id, "requestId": request_id })
        .to_string()
}

struct ConnectAnswer {
    status: StatusCode,
    protocol: Option<HeaderValue>,
}

impl ConnectAnswer {
    fn read(outcome: Outcome) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct ConnectDocument {
            status_code: u16,
            #[serde(default)]
            headers: Option<std::collections::HashMap<String, serde_json::Value>>,
        }
        let bytes: Bytes = outcome.ok()?;
        let document: ConnectDocument = serde_json::from_slice(&bytes).ok()?;
        let status =
            StatusCode::from_u16(document.status_code).ok().filter(|status| !status.is_informational())?;
        let headers = document.headers.unwrap_or_default();
        let protocol = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(SEC_WEBSOCKET_PROTOCOL.as_str()))
            .and_then(|(_, value)| HeaderValue::from_str(value.as_str()?).ok());
        Some(Self { status, protocol })
    }
}

/// The key of a valid handshake.
fn handshake_key(request: &Request<Body>) -> Option<HeaderValue> {
    let headers = request.headers();
    let names = |name: &HeaderName, token: &str| {
        headers.get_all(name).iter().any(|value| {
            value
                .to_str()
                .is_ok_and(|value| value.split(',').any(|item| item.trim().eq_ignore_ascii_case(token)))
        })
    };
    let is_handshake = *request.method() == Method::GET
        && names(&CONNECTION, "upgrade")
        && names(&UPGRADE, "websocket")
        && names(&SEC_WEBSOCKET_VERSION, "13");
    headers.get(SEC_WEBSOCKET_KEY).filter(|_| is_handshake).cloned()
}

fn switching_protocols(key: &HeaderValue, protocol: Option<HeaderValue>) -> Answer {
    let mut answer = http1::empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(protocol) = protocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    answer
}

/// The query with the user of the path as `user_id`, which replaces any other `user_id`. In the cloud, a CDN rewrites
/// the address in this way.
fn query_with(user: &str, query: &str) -> String {
    if user.is_empty() {
        return query.to_owned();
    }
    let user = percent_decode_str(user).decode_utf8_lossy();
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "user_id");
    form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair("user_id", &user).finish()
}
