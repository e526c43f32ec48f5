//! No secret is logged or returned in an error: marked secrets go through every route, in valid and invalid
//! requests.

use local::{DynamoDbFault, Target, When};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Connection, TestStudio, eventually, send, studio_with};

const PASSWORD: &str = "canary-password-7f3a9c";
const NEW_PASSWORD: &str = "canary-changed-8b2e1d";
const PROMPT: &str = "canary-prompt-4d5e6f";
const SECRET: &str = "ca9a7f8a1c5e7b9d2f4a6c8e0b1d3f5a7c9e";

/// Marked secrets, and the errors that must not contain them.
struct Canaries {
    secrets: Vec<String>,
    errors: Vec<String>,
}

impl Canaries {
    fn keep(&mut self, secret: &Value) -> String {
        let secret = secret.as_str().unwrap().to_owned();
        self.secrets.push(secret.clone());
        secret
    }

    /// Keeps the error of a refused request for the check at the end.
    fn refused(&mut self, answer: Answer) {
        assert!((400..500).contains(&answer.status), "{}: {}", answer.status, answer.text);
        self.errors.push(answer.text);
    }
}

async fn delete(client: &Client, path: &str, body: &Value) -> Answer {
    send(client.request(Method::DELETE, path).json(body)).await
}

async fn mailed(studio: &TestStudio, path: &str) -> Value {
    eventually("a mail arrives", || async {
        let mailbox = studio.shown_mails().await.expect(200).body;
        let text = mailbox.as_array().unwrap().iter().find_map(|mail| {
            let (_, rest) = mail["text"].as_str()?.split_once(&format!("/{path}#token="))?;
            Some(rest.split_whitespace().next()?.to_owned())
        })?;
        Some(json!(text))
    })
    .await
}

/// All operations on an account, valid and invalid.
#[expect(clippy::cognitive_complexity, reason = "one request after another")]
async fn live(studio: &TestStudio, canaries: &mut Canaries) {
    let visitor = studio.visitor();
    let registration = json!({"username": "canary", "email": "canary@example.com", "password": PASSWORD});
    let signed_in = visitor.post("/api/auth/register", &registration).await.expect(200).body;
    let token = canaries.keep(&signed_in["access_token"]);
    let refresh = canaries.keep(&signed_in["refresh_token"]);
    let user = visitor.with_token(&token);
    canaries.refused(visitor.post("/api/auth/register", &registration).await);
    let wrong = json!({"username": "canary", "password": NEW_PASSWORD});
    canaries.refused(visitor.post("/api/auth/login", &wrong).await);
    let bad = json!({"username": [PASSWORD], "password": {"x": PASSWORD}});
    canaries.refused(visitor.post("/api/auth/login", &bad).await);
    canaries.refused(visitor.post("/api/auth/register", &json!({"password": PASSWORD})).await);
    let next = visitor.post("/api/auth/refresh", &json!({"refresh_token": refresh})).await.expect(200).body;
    canaries.keep(&next["refresh_token"]);
    canaries.keep(&next["access_token"]);
    let forged = json!({"refresh_token": format!("{refresh}x")});
    canaries.refused(visitor.post("/api/auth/refresh", &forged).await);
    canaries.refused(user.with_token(&format!("{token}x")).get("/api/auth/me").await);
    let key =
        canaries.keep(&user.post("/api/auth/keys", &json!({"name": "canary"})).await.expect(200).body["key"]);
    user.with_token(&key).get("/api/stats").await.expect(200);
    canaries.refused(user.with_token(&format!("{key}x")).get("/api/stats").await);
    canaries.refused(user.with_token(&key).get("/api/auth/keys").await);
    let ticket =
        canaries.keep(&user.post("/api/auth/ws-ticket", &json!({})).await.expect(200).body["ticket"]);
    let enrolled = user.post("/api/auth/totp", &json!({"password": PASSWORD})).await.expect(200).body;
    canaries.keep(&enrolled["secret"]);
    canaries.refused(user.post("/api/auth/totp/confirm", &json!({"code": "canary"})).await);
    canaries.refused(delete(&user, "/api/auth/totp", &json!({"password": NEW_PASSWORD})).await);
    let verify = mailed(studio, "verify-email").await;
    let verify = canaries.keep(&verify);
    visitor.post("/api/auth/email/verify", &json!({"token": verify})).await.expect(200);
    canaries.refused(visitor.post("/api/auth/email/verify", &json!({"token": verify})).await);
    visitor.post("/api/auth/password/forgot", &json!({"email": "canary@example.com"})).await.expect(200);
    let reset = mailed(studio, "reset-password").await;
    let reset = canaries.keep(&reset);
    let short = json!({"token": reset, "new_password": "canary"});
    canaries.refused(visitor.post("/api/auth/password/reset", &short).await);
    let change = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD});
    user.put("/api/auth/password", &change).await.expect(200);
    canaries.refused(user.put("/api/auth/password", &change).await);
    chat(studio, &user, canaries, [&token, &ticket]).await;
    canaries.refused(delete(&user, "/api/auth/me", &json!({"password": PASSWORD})).await);
}

#[expect(clippy::cognitive_complexity, reason = "one request after another")]
async fn chat(studio: &TestStudio, user: &Client, canaries: &mut Canaries, [token, ticket]: [&str; 2]) {
    let mut connection = Connection::open(&format!("{}?ticket={ticket}", studio.ws_url())).await.unwrap();
    connection.next("auth_success").await;
    assert!(Connection::open(&format!("{}?ticket={ticket}", studio.ws_url())).await.is_err());
    assert!(Connection::open(&format!("{}?token={token}x", studio.ws_url())).await.is_err());
    connection.chat(&json!({"type": "chat", "content": PROMPT, "conversationId": "c"})).await;
    connection.send(&json!({"type": "chat", "content": [PROMPT]})).await;
    let refused = connection.next("error").await;
    canaries.errors.push(refused.to_string());
    let mut other = studio.connect().await;
    other.send(&json!({"type": "auth", "token": format!("{token}x")})).await;
    canaries.errors.push(other.next("auth_failed").await.to_string());
    let body = json!({"id": "d", "title": PROMPT, "messages": [{"role": PROMPT, "content": PROMPT}]});
    canaries.refused(user.post("/api/conversations", &body).await);
    canaries.refused(user.post("/api/chat", &json!({"messages": PROMPT})).await);
    user.post("/api/chat", &json!({"messages": [{"role": "user", "content": PROMPT}]})).await.expect(200);
    // A write that DynamoDB refuses is logged without its values.
    studio.faults().dynamodb(DynamoDbFault::InternalError, Target::any(), When::Always);
    let failed = user.post("/api/conversations", &json!({"id": "e", "title": PROMPT})).await;
    canaries.errors.push(failed.text);
    studio.faults().clear();
}

#[tokio::test]
async fn no_secret_is_in_a_log_or_an_error() {
    let studio =
        studio_with(|options| options.variable("LOG_LEVEL", "debug").variable("SECRET_KEY", SECRET)).await;
    let known = [PASSWORD, NEW_PASSWORD, PROMPT, SECRET, "canary@example.com"].map(str::to_owned);
    let mut canaries = Canaries { secrets: known.to_vec(), errors: Vec::new() };
    live(&studio, &mut canaries).await;
    let logs: Vec<String> = studio.functions().iter().flat_map(|function| studio.logs(function)).collect();
    assert!(logs.len() > 20, "{} lines", logs.len());
    let hits = |lines: &[String]| {
        let seen = |line: &&String| canaries.secrets.iter().any(|secret| line.contains(secret.as_str()));
        lines.iter().filter(seen).cloned().collect::<Vec<_>>()
    };
    let (in_logs, in_errors) = (hits(&logs), hits(&canaries.errors));
    println!(
        "{} canaries, {} lines of logs, {} errors: {} hits",
        canaries.secrets.len(),
        logs.len(),
        canaries.errors.len(),
        in_logs.len() + in_errors.len()
    );
    assert!(in_logs.is_empty() && in_errors.is_empty(), "{in_logs:?} {in_errors:?}");
}
