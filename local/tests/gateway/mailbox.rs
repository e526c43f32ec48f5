//! SES: mails appear in the mailbox.

use local::{MailFault, Studio, When};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::{options, signature, start_studio};

fn mail_request(subject: &str) -> Value {
    json!({
        "FromEmailAddress": "studio@example.com",
        "Destination": { "ToAddresses": ["ada@example.com"], "CcAddresses": ["bob@example.com"] },
        "Content": { "Simple": {
            "Subject": { "Data": subject, "Charset": "UTF-8" },
            "Body": { "Text": { "Data": "Guten Tag, 你好" }, "Html": { "Data": "<p>Guten Tag</p>" } },
        } },
    })
}

/// Sends a mail as the SDK does, to the endpoint of a function.
async fn send(studio: &Studio, mail: &Value) -> Response {
    let environment = studio.invoke("Web", json!({ "do": "environment" })).await.unwrap();
    let url = environment["AWS_ENDPOINT_URL_SESV2"].as_str().unwrap();
    let request = Client::new().post(format!("{url}/v2/email/outbound-emails"));
    request.header("authorization", signature(studio)).json(mail).send().await.unwrap()
}

async fn refused(studio: &Studio, mail: &Value) -> (u16, String) {
    let response = send(studio, mail).await;
    let kind = response.headers()["x-amzn-errortype"].to_str().unwrap().to_owned();
    (response.status().as_u16(), kind)
}

#[tokio::test]
async fn the_mailbox_shows_mails_newest_first() {
    let studio = start_studio().await;
    for subject in ["first", "second"] {
        let sent = send(&studio, &mail_request(subject)).await;
        assert_eq!(sent.status(), 200);
        assert!(sent.json::<Value>().await.unwrap()["MessageId"].is_string());
    }
    let shown = reqwest::get(studio.mailbox_url()).await.unwrap();
    assert_eq!(shown.headers()["cache-control"], "no-store");
    let shown: Value = shown.json().await.unwrap();
    assert_eq!((&shown[0]["subject"], &shown[1]["subject"]), (&json!("second"), &json!("first")));
    assert_eq!(shown[0]["to"], json!(["ada@example.com", "bob@example.com"]));
    assert_eq!(
        (&shown[0]["from"], &shown[0]["text"]),
        (&json!("studio@example.com"), &json!("Guten Tag, 你好"))
    );
    assert_eq!(shown[0]["html"], "<p>Guten Tag</p>");
    assert!(shown[0]["sent_at"].as_str().unwrap().ends_with('Z'), "{shown}");
    assert_eq!(serde_json::to_value(studio.mailbox()).unwrap(), shown);
}

#[tokio::test]
async fn the_mailbox_refuses_foreign_pages_and_proxies() {
    let studio = start_studio().await;
    let ask = async |headers: &[(&'static str, &str)]| {
        let mut request = Client::new().get(studio.mailbox_url());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    for host in ["localhost:8000", "LOCALHOST", "127.0.0.1", "127.8.9.10:1", "[::1]:8000"] {
        assert_eq!(ask(&[("host", host)]).await, 200, "{host}");
    }
    // Foreign names that resolve to this machine, as in DNS rebinding.
    for host in ["evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.7", "x"]
    {
        assert_eq!(ask(&[("host", host)]).await, 404, "{host}");
    }
    assert_eq!(ask(&[("origin", "http://localhost:3000")]).await, 200);
    for origin in ["https://evil.example", "null", "http://localhost.evil.example:8000"] {
        assert_eq!(ask(&[("origin", origin)]).await, 404, "{origin}");
    }
    assert_eq!(ask(&[("x-forwarded-for", "203.0.113.7")]).await, 404);
}

#[tokio::test]
async fn the_address_of_the_mailbox_cannot_be_guessed() {
    let (studio, other) = (start_studio().await, start_studio().await);
    let path = studio.mailbox_url().strip_prefix(&studio.url()).unwrap().to_owned();
    let secret = path.strip_prefix("/_local/mailbox/").unwrap();
    assert!(secret.len() >= 32 && !other.mailbox_url().contains(secret), "{path}");
    let parts = ["/_local/mailbox", "/_local/mailbox/", "/_local", path.get(..path.len() - 1).unwrap()];
    for guess in parts.map(str::to_owned).into_iter().chain([format!("{path}/"), format!("{path}0")]) {
        let answer = reqwest::get(studio.url() + &guess).await.unwrap();
        assert_eq!(answer.status(), 404, "{guess}");
        assert!(!answer.text().await.unwrap().contains(secret), "{guess}");
    }
    assert_eq!(reqwest::get(studio.mailbox_url()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_mailbox_keeps_the_last_two_hundred() {
    let studio = start_studio().await;
    let (client, url) = (Client::new(), format!("{}/v2/email/outbound-emails", studio.lambda_url()));
    for number in 0..203 {
        let request = client.post(&url).header("authorization", signature(&studio));
        assert_eq!(request.json(&mail_request(&number.to_string())).send().await.unwrap().status(), 200);
    }
    let mails = studio.mailbox();
    assert_eq!((mails.len(), mails[0].subject.as_str(), mails[199].subject.as_str()), (200, "202", "3"));
}

#[tokio::test]
async fn an_invalid_mail_is_refused() {
    let studio = start_studio().await;
    let mut raw = mail_request("raw");
    raw["Content"] = json!({ "Raw": { "Data": "U3ViamVjdDogaGVsbG8=" } });
    let (mut nobody, mut empty) = (mail_request("nobody"), mail_request("empty"));
    nobody["Destination"] = json!({});
    empty["Content"]["Simple"]["Body"] = json!({});
    for bad in [raw, nobody, empty, json!([])] {
        assert_eq!(refused(&studio, &bad).await, (400, "BadRequestException".to_owned()), "{bad}");
    }
    assert_eq!(studio.mailbox(), []);
}

#[tokio::test]
async fn faults_make_sending_fail() {
    let studio = start_studio().await;
    let mail = mail_request("once more");
    for (fault, answer) in [
        (MailFault::TooMany, (429, "TooManyRequestsException")),
        (MailFault::Rejected, (400, "MessageRejected")),
        (MailFault::InternalError, (500, "InternalFailure")),
    ] {
        studio.faults().mails(fault, When::Times(1));
        assert_eq!(refused(&studio, &mail).await, (answer.0, answer.1.to_owned()));
        assert_eq!(studio.mailbox(), []);
    }
    assert_eq!(send(&studio, &mail).await.status(), 200);
    assert_eq!(studio.mailbox().len(), 1);
}

#[tokio::test]
async fn mails_have_a_local_sender_by_default() {
    let sender = async |studio: Studio| {
        studio.invoke("Web", json!({ "do": "environment" })).await.unwrap()["MAIL_FROM"].clone()
    };
    assert_eq!(sender(start_studio().await).await, "studio@localhost.localdomain");
    let set = Studio::start(options().variable("MAIL_FROM", "me@example.com")).await.unwrap();
    assert_eq!(sender(set).await, "me@example.com");
}
