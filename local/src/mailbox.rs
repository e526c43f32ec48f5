//! SES: receives the mails that functions send, and shows them on a page instead of delivering them.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{CACHE_CONTROL, HOST, ORIGIN, REFERRER_POLICY},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    access::Caller,
    clock,
    dynamodb::Guards,
    error::Error,
    faults::{Faults, MailFault},
    gateway::domain_of,
    http1::{self, Answer, Body},
    lambda::request_id,
    permissions,
    random::new_secret,
    sync::lock,
};

/// The path of SESv2 on the internal port.
pub(crate) const PATH: &str = "/v2/email/outbound-emails";
/// The beginning of the path on the public port that shows the mails. A random part follows, which is created at each
/// start: mails contain login tokens, and other users of this machine can connect to the port.
const SHOWN_BELOW: &str = "/_local/mailbox";
/// The number of mails that are kept.
const KEPT_MAILS: usize = 200;
/// Headers that proxies add.
const PROXIES_ADD: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];
/// The maximum size of a mail.
const MAIL_LIMIT: usize = 1024 * 1024;

/// A mail that a function sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// All recipients, copies included.
    pub to: Vec<String>,
    /// The sender.
    pub from: String,
    /// The subject.
    pub subject: String,
    /// The plain text; empty if there is none.
    pub text: String,
    /// The HTML, if there is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// The time at which the mail was sent, in RFC 3339.
    pub sent_at: String,
}

/// The last mails of a studio, newest last. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    mails: Arc<Mutex<VecDeque<Mail>>>,
    faults: Faults,
    path: Arc<str>,
}

impl Mailbox {
    /// Creates an empty mailbox with a random path.
    pub(crate) fn new(guards: &Guards) -> Result<Self, Error> {
        let path = format!("{SHOWN_BELOW}/{}", new_secret()?).into();
        Ok(Self { mails: Arc::default(), faults: guards.faults.clone(), path })
    }

    /// The path on the public port that shows the mails.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The last mails, newest first.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        lock(&self.mails).iter().rev().cloned().collect()
    }

    /// Answers a call of `SendEmail`.
    pub(crate) async fn handle(&self, caller: &Caller, request: Request<Body>) -> Answer {
        if request.method() != Method::POST {
            return refusal("NotFoundException", "The local studio implements only SendEmail");
        }
        let body = http1::read_body(request.into_body(), MAIL_LIMIT).await.unwrap_or_default();
        match self.faults.mail() {
            Some(MailFault::TooMany) => {
                let (status, kind) = (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException");
                return http1::aws_error(status, kind, "Maximum sending rate exceeded.");
            }
            Some(MailFault::Rejected) => return refusal("MessageRejected", "Email address is not verified."),
            Some(MailFault::InternalError) => {
                let (status, kind) = (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure");
                return http1::aws_error(status, kind, "Internal failure");
            }
            None => {}
        }
        match mail(&body) {
            Ok(mail) => {
                let sender = permissions::sender(&mail.from);
                if let Some(denied) = caller.refusal("ses:SendEmail", &sender) {
                    return http1::aws_error(StatusCode::FORBIDDEN, "AccessDeniedException", &denied);
                }
                let mut mails = lock(&self.mails);
                if mails.len() == KEPT_MAILS {
                    mails.pop_front();
                }
                mails.push_back(mail);
                http1::json(StatusCode::OK, json!({ "MessageId": request_id() }).to_string())
            }
            Err(reason) => refusal("BadRequestException", reason),
        }
    }

    /// Shows the mails, newest first, to clients on this machine only, because mails contain login tokens.
    pub(crate) fn show(&self, method: &Method, headers: &HeaderMap, peer: IpAddr) -> Answer {
        if !is_from_here(headers, peer) || method != Method::GET {
            return http1::json(StatusCode::NOT_FOUND, r#"{"message":"Not Found"}"#);
        }
        let mut answer = http1::json(StatusCode::OK, json!(self.mails()).to_string());
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        answer
    }
}

/// Whether a request comes from this machine, and neither from a page of another host (also after DNS rebinding) nor
/// through a proxy on this machine.
fn is_from_here(headers: &HeaderMap, peer: IpAddr) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let page = text(ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    peer.to_canonical().is_loopback()
        && text(HOST).is_some_and(is_this_machine)
        && page.is_none_or(is_this_machine)
        && !PROXIES_ADD.iter().any(|name| headers.contains_key(*name))
}

/// Whether `host`, with or without a port, always means this machine, whatever DNS says.
fn is_this_machine(host: &str) -> bool {
    let name = domain_of(host);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn refusal(kind: &'static str, message: &str) -> Answer {
    http1::aws_error(StatusCode::BAD_REQUEST, kind, message)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail {
    #[serde(default)]
    from_email_address: String,
    #[serde(default)]
    destination: Destination,
    content: Content,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Destination {
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    simple: Option<Simple>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Part,
    body: MailBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MailBody {
    text: Option<Part>,
    html: Option<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    data: String,
}

/// The mail in a request, or the reason why the mail cannot be sent.
fn mail(body: &[u8]) -> Result<Mail, &'static str> {
    let request: SendEmail = serde_json::from_slice(body).map_err(|_error| "The request is invalid")?;
    let simple =
        request.content.simple.ok_or("The local studio accepts only Simple content, not Raw or Template")?;
    let Destination { mut to_addresses, cc_addresses, bcc_addresses } = request.destination;
    to_addresses.extend(cc_addresses.into_iter().chain(bcc_addresses));
    if request.from_email_address.is_empty() || to_addresses.is_empty() {
        return Err("A mail needs FromEmailAddress and at least one recipient");
    }
    if simple.body.text.is_none() && simple.body.html.is_none() {
        return Err("A mail needs a body");
    }
    Ok(Mail {
        to: to_addresses,
        from: request.from_email_address,
        subject: simple.subject.data,
        text: simple.body.text.map(|part| part.data).unwrap_or_default(),
        html: simple.body.html.map(|part| part.data),
        sent_at: clock::rfc3339(clock::now_ms()),
    })
}
