//! Only the functions and the owner of a studio can use its internal listeners.

use std::collections::BTreeSet;

use local::Studio;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::{eventually, key_of, signature, signed_with, start_studio};

/// A request to an internal listener.
struct Call {
    name: &'static str,
    method: Method,
    url: String,
    target: &'static str,
    body: Value,
    /// The status for the owner.
    status: u16,
}

/// One call of each AWS service.
fn aws_calls(studio: &Studio) -> Vec<Call> {
    let call = |name, url: String, target, body, status| Call {
        name,
        method: Method::POST,
        url,
        target,
        body,
        status,
    };
    let mail = json!({
        "FromEmailAddress": "studio@example.com",
        "Destination": { "ToAddresses": ["ada@example.com"] },
        "Content": { "Simple": { "Subject": { "Data": "hello" }, "Body": { "Text": { "Data": "hello" } } } },
    });
    let (table, lambda) = (json!({ "TableName": "Table" }), studio.lambda_url());
    let invocation = format!("{lambda}/2015-03-31/functions/Web/invocations");
    let mails = format!("{lambda}/v2/email/outbound-emails");
    let push = format!("{}/@connections/nobody", studio.management_url());
    let secret = json!({ "SecretId": "SIGNING_KEY" });
    vec![
        call("DynamoDB", studio.dynamodb_url(), "DynamoDB_20120810.Scan", table, 200),
        call("Secrets Manager", lambda, "secretsmanager.GetSecretValue", secret, 200),
        call("Lambda", invocation, "", json!({ "do": "plain" }), 200),
        call("SES", mails, "", mail, 200),
        call("@connections", push, "", json!("hello"), 410),
    ]
}

/// A sender of calls, with the headers that it sends.
struct Sender<'a> {
    who: &'a str,
    headers: Vec<(&'static str, String)>,
}

/// The senders that must be refused.
fn strangers(studio: &Studio) -> Vec<Sender<'static>> {
    let short = studio.access_key_id().get(1..).unwrap();
    let good = || ("authorization", signature(studio));
    let sender = |who, headers| Sender { who, headers };
    let port = studio.url().rsplit(':').next().unwrap().to_owned();
    vec![
        sender("unsigned", vec![]),
        sender("the name of a function", vec![("authorization", signed_with("Web"))]),
        sender("an empty key", vec![("authorization", signed_with(""))]),
        sender("a wrong key", vec![("authorization", signed_with(&"0".repeat(64)))]),
        sender("a key cut short", vec![("authorization", signed_with(short))]),
        sender("no signature", vec![("authorization", format!("Bearer {}", studio.access_key_id()))]),
        sender("a page of another origin", vec![good(), ("origin", "https://evil.example".to_owned())]),
        sender("a sandboxed page", vec![good(), ("origin", "null".to_owned())]),
        sender("a page of the studio's own", vec![good(), ("origin", studio.url())]),
        sender(
            "a foreign name that resolves to this machine",
            vec![good(), ("host", "evil.example".to_owned())],
        ),
        sender("such a name with the port", vec![good(), ("host", format!("evil.example:{port}"))]),
        sender(
            "such a name that resembles ours",
            vec![good(), ("host", format!("127.0.0.1.evil.example:{port}"))],
        ),
        sender("our address with another port", vec![good(), ("host", "127.0.0.1:1".to_owned())]),
    ]
}

async fn send(client: &Client, call: &Call, headers: &[(&'static str, String)]) -> Response {
    let mut request = client.request(call.method.clone(), &call.url).header("x-amz-target", call.target);
    request = request.header("content-type", "text/plain").body(call.body.to_string());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.send().await.unwrap()
}

/// Asserts that an answer refuses the call, reveals nothing, and cannot be read by a page.
async fn assert_refused(what: &str, answer: Response) {
    assert_eq!(answer.status(), 403, "{what}");
    let headers = answer.headers().keys();
    assert!(!headers.into_iter().any(|name| name.as_str().starts_with("access-control-")), "{what}");
    let text = answer.text().await.unwrap();
    assert!(text.len() < 200, "{what}: {text}");
}

#[tokio::test]
async fn every_service_refuses_calls_without_a_key_from_pages_and_to_other_hosts() {
    let (studio, client) = (start_studio().await, Client::new());
    for call in aws_calls(&studio) {
        for Sender { who, headers } in strangers(&studio) {
            assert_refused(&format!("{}: {who}", call.name), send(&client, &call, &headers).await).await;
        }
        let preflight = Call { method: Method::OPTIONS, body: Value::Null, ..call };
        let page = [
            ("origin", "https://evil.example".to_owned()),
            ("access-control-request-method", "POST".to_owned()),
            ("access-control-request-headers", "x-amz-target,authorization".to_owned()),
        ];
        assert_refused(&format!("{}: preflight", preflight.name), send(&client, &preflight, &page).await)
            .await;
    }
    assert_eq!((studio.mailbox(), studio.logs("Web")), (vec![], vec![]), "the calls had no effect");
    let owner = [("authorization", signature(&studio))];
    for call in aws_calls(&studio) {
        let answer = send(&client, &call, &owner).await;
        assert_eq!(answer.status(), call.status, "{}", call.name);
        let headers = answer.headers().keys();
        assert!(
            !headers.into_iter().any(|name| name.as_str().starts_with("access-control-")),
            "{}",
            call.name
        );
    }
}

#[tokio::test]
async fn the_runtime_api_answers_only_with_the_key_of_a_function() {
    let studio = start_studio().await;
    studio.invoke("Web", json!({ "do": "plain" })).await.unwrap();
    let environment = studio.invoke("Web", json!({ "do": "environment" })).await.unwrap();
    let base = environment["AWS_LAMBDA_RUNTIME_API"].as_str().unwrap().to_owned();
    let (at, key) = (studio.lambda_url(), key_of(&studio, "Web"));
    assert!(base.starts_with(&format!("{at}/{key}/")), "the path contains the key");
    let next = "2018-06-01/runtime/invocation/next";
    let owner = studio.access_key_id();
    for (path, status) in [
        (format!("{at}/{next}"), 403),
        (format!("{at}/Web/0/{next}"), 403),
        (format!("{at}/{}/0/{next}", "0".repeat(64)), 403),
        // The owner is not an instance, and no instance has this number.
        (format!("{at}/{owner}/0/{next}"), 404),
        (format!("{at}/{key}/99/{next}"), 410),
    ] {
        let answer = Client::new().get(&path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
    for (header, value) in [("host", "evil.example"), ("origin", "https://evil.example")] {
        let request = Client::new().get(format!("{base}/{next}")).header(header, value);
        assert_refused(header, request.send().await.unwrap()).await;
    }
}

#[tokio::test]
async fn every_start_and_every_function_has_its_own_key() {
    let studios = [start_studio().await, start_studio().await];
    let mut keys = BTreeSet::new();
    for studio in &studios {
        keys.insert(studio.access_key_id().to_owned());
        keys.extend(studio.functions().iter().map(|function| key_of(studio, function)));
    }
    let count: usize = studios.iter().map(|studio| studio.functions().len() + 1).sum();
    assert_eq!(keys.len(), count);
    assert!(keys.iter().all(|key| key.len() >= 32), "short enough to guess");
}

/// The ports that a process listens on.
fn ports_of_this_process() -> BTreeSet<u16> {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.ok());
    let sockets: BTreeSet<String> = links
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut ports = BTreeSet::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        for line in std::fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == "0A" && sockets.contains(fields[9]) {
                ports.insert(u16::from_str_radix(fields[1].rsplit(':').next().unwrap(), 16).unwrap());
            }
        }
    }
    ports
}

#[tokio::test]
async fn every_listener_is_the_public_one_or_requires_a_key() {
    // Other tests of this process also have studios, so there may be several public ports.
    let studio = start_studio().await;
    let ours = [studio.url(), studio.lambda_url(), studio.dynamodb_url()];
    let port = |url: &String| url.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    assert!(ours.iter().all(|url| ports_of_this_process().contains(&port(url))));
    for port in ports_of_this_process() {
        let request =
            Client::new().post(format!("http://127.0.0.1:{port}/")).body(r#"{"TableName":"Table"}"#);
        let request = request
            .header("authorization", signed_with("local"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-date", "20261122T000000Z")
            .header("x-amz-target", "DynamoDB_20120810.Scan")
            .header("origin", "https://evil.example");
        // The studio of another test may have ended.
        let Ok(answer) = request.send().await else { continue };
        assert!([403, 404].contains(&answer.status().as_u16()), "{port}: {}", answer.status());
        assert_eq!(answer.headers().get("access-control-allow-origin"), None, "{port}");
    }
    studio.stop().await;
}

#[tokio::test]
async fn functions_call_services_with_their_own_key() {
    let studio = start_studio().await;
    let client = Client::new();
    // The function was invoked, so the Runtime API accepted its instance.
    studio.invoke("Web", json!({ "do": "plain" })).await.unwrap();
    eventually("the function runs", || (!studio.instances("Web").is_empty()).then_some(())).await;
    let web = [("authorization", signed_with(&key_of(&studio, "Web")))];
    let secret = aws_calls(&studio).remove(1);
    assert_eq!(send(&client, &secret, &web).await.status(), 200);
    let scan = aws_calls(&studio).remove(0);
    let denied = send(&client, &scan, &web).await;
    assert_eq!(denied.status(), 400);
    assert!(denied.text().await.unwrap().contains("AccessDeniedException"));
}
