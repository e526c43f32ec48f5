//! The event of an HTTP request: payload format 2.0, with every field that AWS sends.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, Version,
    header::{CONTENT_TYPE, COOKIE, HOST, USER_AGENT},
    request::Parts,
};
use serde::Serialize;

use super::routes::Match;
use crate::{clock, template::ACCOUNT};

/// The id of the HTTP API in events. In the cloud, ids are ten letters and digits.
const API_ID: &str = "localhttp0";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpEvent<'a> {
    version: &'static str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<Vec<&'a str>>,
    headers: BTreeMap<&'a str, Cow<'a, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<Cow<'a, str>, String>,
    request_context: HttpContext<'a>,
    #[serde(skip_serializing_if = "std::collections::HashMap::is_empty")]
    path_parameters: &'a std::collections::HashMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpContext<'a> {
    account_id: &'static str,
    api_id: &'static str,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'static str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    source_ip: &'a str,
    user_agent: &'a str,
}

/// The event of one request. `source` is the address of the peer, which a client cannot forge.
pub(super) fn event(
    head: &Parts,
    body: &Bytes,
    found: &Match<'_>,
    source: IpAddr,
    request_id: &str,
) -> Bytes {
    let source = source.to_canonical().to_string();
    let now = clock::now_ms();
    let host = text_of(&head.headers, HOST.as_str());
    let domain = domain_of(host);
    let (body, is_base64_encoded) = body_text(&head.headers, body);
    let event = HttpEvent {
        version: "2.0",
        route_key: found.key,
        raw_path: head.uri.path(),
        raw_query_string: head.uri.query().unwrap_or_default(),
        cookies: cookies(&head.headers),
        headers: headers(&head.headers, &source, host),
        query_string_parameters: query(head.uri.query().unwrap_or_default()),
        request_context: HttpContext {
            account_id: ACCOUNT,
            api_id: API_ID,
            domain_name: domain,
            domain_prefix: domain.split('.').next().unwrap_or_default(),
            http: Http {
                method: head.method.as_str(),
                path: head.uri.path(),
                protocol: if head.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
                source_ip: &source,
                user_agent: text_of(&head.headers, USER_AGENT.as_str()),
            },
            request_id,
            route_key: found.key,
            stage: "$default",
            time: clock::access_log_time(now),
            time_epoch: now,
        },
        path_parameters: &found.parameters,
        body,
        is_base64_encoded,
    };
    // Serialising text, numbers and maps with text keys cannot fail.
    serde_json::to_vec(&event).unwrap_or_default().into()
}

/// The host without the port.
pub(crate) fn domain_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((domain, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => domain,
        _ => host,
    }
}

/// The text of a header, or an empty text.
pub(super) fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The headers of an event: names in lower case, values of the same name joined by commas, no cookies, and the headers
/// that the gateway adds.
fn headers<'a>(headers: &'a HeaderMap, source: &str, host: &'a str) -> BTreeMap<&'a str, Cow<'a, str>> {
    let mut joined: BTreeMap<&str, Cow<'_, str>> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != COOKIE) {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str())
            .and_modify(|sofar| {
                let sofar = sofar.to_mut();
                sofar.push(',');
                sofar.push_str(&value);
            })
            .or_insert(value);
    }
    let forwarded = match joined.get("x-forwarded-for") {
        Some(before) => format!("{before}, {source}"),
        None => source.to_owned(),
    };
    joined.insert("x-forwarded-for", Cow::Owned(forwarded));
    joined.insert("x-forwarded-proto", Cow::Borrowed("http"));
    joined.insert("x-forwarded-port", Cow::Borrowed(host.rsplit_once(':').map_or("80", |(_, port)| port)));
    let trace = format!("Root=1-{:08x}-{:024x}", clock::now_ms() / 1000, fastrand::u128(..) >> 32);
    joined.insert("x-amzn-trace-id", Cow::Owned(trace));
    joined
}

fn cookies(headers: &HeaderMap) -> Option<Vec<&str>> {
    let cookies: Vec<&str> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(str::trim)
        .filter(|cookie| !cookie.is_empty())
        .collect();
    (!cookies.is_empty()).then_some(cookies)
}

/// The decoded query parameters, values of the same name joined by commas.
fn query(raw: &str) -> BTreeMap<Cow<'_, str>, String> {
    let mut joined: BTreeMap<Cow<'_, str>, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
        joined
            .entry(name)
            .and_modify(|sofar| {
                sofar.push(',');
                sofar.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    joined
}

/// The body as text if its type is a text type, else in base64.
fn body_text<'a>(headers: &HeaderMap, body: &'a Bytes) -> (Option<Cow<'a, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    if is_text(text_of(headers, CONTENT_TYPE.as_str()))
        && let Ok(text) = std::str::from_utf8(body)
    {
        return (Some(Cow::Borrowed(text)), false);
    }
    (Some(Cow::Owned(STANDARD.encode(body))), true)
}

fn is_text(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type.starts_with("text/")
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
        || ["application/json", "application/xml", "application/javascript"].contains(&media_type.as_str())
}
