//! An event of a connection: what is used of what API Gateway tells. To read all of it, the headers twice over, is a good part of
//! a connect.

use std::collections::BTreeMap;

use serde::Deserialize;
use shared::Result;
use shared::domain::{ConnectionId, MessageId, Millis};
use shared::error::{Code, Error};
use shared::sockets::ServerFrame;

/// Of 32 KB that API Gateway takes.
const MOST_FRAME_BYTES: usize = 30 * 1024;

/// One event of a connection. It has no `Debug`, since the address of a connect can hold a token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    request_context: Context,
    /// Of a connect, by names as the client wrote them.
    headers: Option<BTreeMap<String, String>>,
    /// Of a connect.
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

/// What is read of any frame.
#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "type")]
    kind: String,
}

/// What is read of a turn that is refused.
#[derive(Deserialize)]
struct Numbered {
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

    /// The type of the frame, where there is a route for it. API Gateway may read less than we do, and send a frame to `$default`
    /// whose type says otherwise: one with half a character in a field, for example.
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

    /// From where the client connected.
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

    /// API Gateway takes 32 KB; ours is less, so that what is longer gets an answer that helps.
    pub(super) fn check_size(&self) -> Result<()> {
        if self.frame().len() <= MOST_FRAME_BYTES {
            return Ok(());
        }
        let detail = "A frame must have at most 30 KB. `POST /api/chat` with `Prefer: respond-async` takes longer texts";
        Err(Error::new(Code::BodyTooLarge, detail))
    }

    /// How a client is told that a frame was refused: of a turn, in the words of turns.
    pub(super) fn refusal(&self, error: &Error) -> ServerFrame {
        if self.kind() != "chat" {
            return ServerFrame::refusal(error);
        }
        let numbered = serde_json::from_slice::<Numbered>(self.frame());
        ServerFrame::turn_refused(numbered.ok().and_then(|frame| frame.id), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &str = include_str!("../../events/sockets/connect.json");
    const CHAT: &str = include_str!("../../events/sockets/chat.json");

    #[test]
    fn a_connect_has_an_address_a_query_and_headers_however_they_are_written() {
        let event: Event = serde_json::from_str(CONNECT).unwrap();
        assert_eq!((event.route_key(), event.address()), ("$connect", "203.0.113.7"));
        assert_eq!(event.connection().to_string(), "UkWtJcOFvHcCIhw=");
        assert_eq!(event.connected_at().get(), 1_795_341_599_000);
        assert_eq!((event.query("token"), event.query("ticket")), (Some("TOKEN"), None));
        assert_eq!((event.header("origin"), event.header("cookie")), (Some("http://localhost:5173"), None));
        assert_eq!(event.frame(), b"");
    }

    #[test]
    fn a_frame_has_its_text_and_nothing_of_the_connect() {
        let event: Event = serde_json::from_str(CHAT).unwrap();
        assert_eq!((event.route_key(), event.header("origin"), event.query("token")), ("chat", None, None));
        assert!(event.frame().starts_with(b"{"));
    }

    #[test]
    fn an_event_that_does_not_tell_of_its_connection_is_none() {
        for (field, text) in [("connectionId", CHAT), ("connectedAt", CONNECT)] {
            let problem = serde_json::from_str::<Event>(&text.replace(field, "other")).err().unwrap();
            assert!(problem.to_string().starts_with(&format!("missing field `{field}`")), "{problem}");
        }
    }
}
