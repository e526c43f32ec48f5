//! The events of a WebSocket, with every field that AWS sends.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;

use super::connections::Connection;
use crate::clock;

/// The fields that all events of a connection share.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) api_id: String,
    pub(super) stage: String,
    pub(super) domain: String,
}

/// The fields that differ between the events of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening<'a> {
    Connect { headers: &'a HeaderMap, query: &'a str },
    Message { route_key: &'a str, body: &'a str },
    Disconnect { headers: &'a HeaderMap, code: u16, reason: &'a str },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebSocketEvent<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<String, Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<BTreeMap<String, Vec<Cow<'a, str>>>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    multi_value_query_string_parameters: BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>,
    request_context: WebSocketContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebSocketContext<'a> {
    route_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_reason: Option<&'a str>,
    event_type: &'static str,
    extended_request_id: &'a str,
    request_time: String,
    message_direction: &'static str,
    stage: &'a str,
    connected_at: i64,
    request_time_epoch: i64,
    identity: Identity<'a>,
    request_id: &'a str,
    domain_name: &'a str,
    connection_id: &'a str,
    api_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    user_agent: &'a str,
    source_ip: &'a str,
}

/// The event for something that happened on `connection`.
pub(super) fn event(
    origin: &Origin,
    connection: &Connection,
    request_id: &str,
    happening: Happening<'_>,
) -> Bytes {
    let (headers, query) = match happening {
        Happening::Connect { headers, query } => (Some(headers), query),
        Happening::Disconnect { headers, .. } => (Some(headers), ""),
        Happening::Message { .. } => (None, ""),
    };
    let mut query_single = BTreeMap::new();
    let mut query_multi: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        query_multi.entry(name.clone()).or_default().push(value.clone());
        // The last value of a name is used, as in API Gateway.
        query_single.insert(name, value);
    }
    let event = WebSocketEvent {
        headers: headers.map(single_headers),
        multi_value_headers: headers.map(multi_headers),
        query_string_parameters: query_single,
        multi_value_query_string_parameters: query_multi,
        request_context: context(origin, connection, request_id, happening),
        body: match happening {
            Happening::Message { body, .. } => Some(body),
            _ => None,
        },
        is_base64_encoded: false,
    };
    // Serialising text, numbers and maps with text keys cannot fail.
    serde_json::to_vec(&event).unwrap_or_default().into()
}

fn context<'a>(
    origin: &'a Origin,
    connection: &'a Connection,
    request_id: &'a str,
    happening: Happening<'a>,
) -> WebSocketContext<'a> {
    let now = clock::now_ms();
    let (route_key, event_type) = match happening {
        Happening::Connect { .. } => ("$connect", "CONNECT"),
        Happening::Message { route_key, .. } => (route_key, "MESSAGE"),
        Happening::Disconnect { .. } => ("$disconnect", "DISCONNECT"),
    };
    let (code, reason) = match happening {
        Happening::Disconnect { code, reason, .. } => (Some(code), Some(reason)),
        _ => (None, None),
    };
    WebSocketContext {
        route_key,
        message_id: matches!(happening, Happening::Message { .. }).then(|| request_id.to_owned()),
        disconnect_status_code: code,
        disconnect_reason: reason,
        event_type,
        extended_request_id: request_id,
        request_time: clock::access_log_time(now),
        message_direction: "IN",
        stage: &origin.stage,
        connected_at: connection.connected_at,
        request_time_epoch: now,
        identity: Identity { user_agent: &connection.user_agent, source_ip: &connection.source_ip },
        request_id,
        domain_name: &origin.domain,
        connection_id: &connection.id,
        api_id: &origin.api_id,
    }
}

fn single_headers(headers: &HeaderMap) -> BTreeMap<String, Cow<'_, str>> {
    headers
        .iter()
        .map(|(name, value)| (spelled(name.as_str()), String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

fn multi_headers(headers: &HeaderMap) -> BTreeMap<String, Vec<Cow<'_, str>>> {
    let mut all: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (name, value) in headers {
        all.entry(spelled(name.as_str())).or_default().push(String::from_utf8_lossy(value.as_bytes()));
    }
    all
}

/// A header name in the spelling of WebSocket events: `Sec-WebSocket-Key`.
fn spelled(name: &str) -> String {
    let words = name.split('-').map(|word| match word {
        "websocket" => "WebSocket".to_owned(),
        _ => {
            let mut letters = word.chars();
            letters
                .next()
                .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
        }
    });
    words.collect::<Vec<_>>().join("-")
}
