//! An event of a WebSocket connection, with only those fields that are used: parsing all headers would be a large
//! part of the time that a connect takes.

use std::collections::BTreeMap;

use serde::Deserialize;
use shared::Result;
use shared::domain::{ConnectionId, MessageId, Millis};
use shared::error::{Code, Error};
use shared::sockets::ServerFrame;

/// The longest frame. API Gateway closes the connection after a frame of more than 32 KB.
const MOST_FRAME_BYTES: usize = 30 * 1024;

/// An event of a connection. It has no `Debug`, because the URL of a connect can contain a token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    request_context: Context,
    /// The headers of a connect, by their names as the client spelled them.
    headers: Option<BTreeMap<String, String>>,
    /// The query of a connect.
    query_string_parameters: Option<BTreeMap<String, String>>,
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    route_key: String,
    connection_id: ConnectionId,
    connected_at: u64,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    identity: Identity,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    source_ip: Option<String>,
}

/// The types of frames that have a route.
const TYPES: [&str; 7] = ["auth", "ping", "chat", "stop", "resume", "regenerate", "typing"];

/// The field that every frame has.
#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "type")]
    kind: String,
}

/// The field by which a client recognises the answer to its turn.
#[derive(Deserialize)]
struct WithId {
    id: Option<MessageId>,
}

impl Event {
    pub(super) fn connection(&self) -> &ConnectionId {
        &self.request_context.connection_id
    }

    pub(super) fn connected_at(&self) -> Millis {
        Millis::saturating(self.request_context.connected_at)
    }

    pub(super) fn route_key(&self) -> &str {
        &self.request_context.route_key
    }

    /// The type of the frame if it has a route, or else `$default`. API Gateway sends some frames to `$default`
    /// although their type has a route, for example those with half of a surrogate pair in a field.
    pub(super) fn kind(&self) -> &str {
        let route = self.route_key();
        if route != "$default" {
            return route;
        }
        let typed = serde_json::from_slice::<Typed>(self.frame());
        let named = typed.ok().and_then(|typed| TYPES.iter().find(|kind| **kind == typed.kind));
        named.copied().unwrap_or(route)
    }

    pub(super) fn request_id(&self) -> &str {
        &self.request_context.request_id
    }

    /// The IP address that the client connected from.
    pub(super) fn address(&self) -> &str {
        self.request_context.identity.source_ip.as_deref().unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().flatten();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query_string_parameters.as_ref()?.get(name).map(String::as_str)
    }

    /// The frame that the client sent.
    pub(super) fn frame(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default().as_bytes()
    }

    /// Refuses a frame that is too long. The limit is lower than that of API Gateway, so that the client gets an error.
    pub(super) fn check_size(&self) -> Result<()> {
        if self.frame().len() <= MOST_FRAME_BYTES {
            return Ok(());
        }
        let detail = "A frame must have at most 30 KB. `POST /api/chat` with `Prefer: respond-async` accepts longer texts";
        Err(Error::new(Code::BodyTooLarge, detail))
    }

    /// The frame that tells the client that this one was refused. A turn has a frame of its own for that.
    pub(super) fn refusal(&self, error: &Error) -> ServerFrame {
        if self.kind() != "chat" {
            return ServerFrame::refusal(error);
        }
        let with_id = serde_json::from_slice::<WithId>(self.frame());
        ServerFrame::turn_refused(with_id.ok().and_then(|frame| frame.id), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &str = include_str!("../../events/sockets/connect.json");
    const CHAT: &str = include_str!("../../events/sockets/chat.json");

    #[test]
    fn a_connect_has_an_address_a_query_and_headers_in_any_case() {
        let event: Event = serde_json::from_str(CONNECT).unwrap();
        assert_eq!((event.route_key(), event.address()), ("$connect", "203.0.113.7"));
        assert_eq!(event.connection().to_string(), "UkWtJcOFvHcCIhw=");
        assert_eq!(event.connected_at().get(), 1_795_341_599_000);
        assert_eq!((event.query("token"), event.query("ticket")), (Some("TOKEN"), None));
        assert_eq!((event.header("origin"), event.header("cookie")), (Some("http://localhost:5173"), None));
        assert_eq!(event.frame(), b"");
    }

    #[test]
    fn a_frame_has_its_text_but_no_headers_and_no_query() {
        let event: Event = serde_json::from_str(CHAT).unwrap();
        assert_eq!((event.route_key(), event.header("origin"), event.query("token")), ("chat", None, None));
        assert!(event.frame().starts_with(b"{"));
    }

    #[test]
    fn an_event_without_its_connection_is_refused() {
        for (field, text) in [("connectionId", CHAT), ("connectedAt", CONNECT)] {
            let problem = serde_json::from_str::<Event>(&text.replace(field, "other")).err().unwrap();
            assert!(problem.to_string().starts_with(&format!("missing field `{field}`")), "{problem}");
        }
    }
}
