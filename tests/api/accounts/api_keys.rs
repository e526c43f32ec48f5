//! API keys are accepted wherever a token is, except on routes that manage credentials.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use local::{DynamoDbFault, Target, When};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Connection, PASSWORD, User, dynamodb, eventually, own_studio, send, shared_studio,
};

async fn make_key(user: &User, wanted: &Value) -> (String, String) {
    let made = user.post("/api/auth/keys", wanted).await.expect(200).body;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

#[tokio::test]
async fn an_api_key_is_shown_once_and_accepted_wherever_a_token_is() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let (id, key) = make_key(&ada, &json!({"name": "nightly report"})).await;
    assert!(key.starts_with("sk-studio-") && key.len() >= 53, "{key}");
    let program = ada.with_token(&key);
    assert_eq!(program.get("/api/auth/me").await.expect(200).body["username"], "ada");
    program.post("/api/conversations", &json!({"id": "c", "title": "Report"})).await.expect(200);
    assert_eq!(ada.get("/api/conversations/c").await.expect(200).body["title"], "Report");
    let mut connection = Connection::open(&format!("{}?token={key}", studio.ws_url())).await.unwrap();
    let greeting = connection.next("auth_success").await;
    assert_eq!(greeting["data"]["session_id"], id);
    let (text, _) =
        connection.chat(&json!({"type": "chat", "content": "tell me", "conversationId": "c"})).await;
    assert!(text.contains("tell me"), "{text}");
    let listed = ada.get("/api/auth/keys").await.expect(200);
    assert!(!listed.text.contains(&key), "a key is shown once");
    assert_eq!(listed.body[0]["id"], id);
    assert_eq!(listed.body[0]["name"], "nightly report");
    assert_eq!(listed.body[0]["ending"], key[key.len() - 4..]);
    assert_eq!(listed.body[0]["expires_at"], Value::Null);
    assert!(listed.body[0]["last_used_at"].is_string());
}

#[tokio::test]
async fn an_api_key_cannot_manage_credentials() {
    let studio = shared_studio().await;
    let ada = studio.user("ada").await;
    let (id, key) = make_key(&ada, &json!({"name": "x"})).await;
    let program = ada.with_token(&key);
    let password = json!({"old_password": PASSWORD, "new_password": "another long passphrase"});
    program.put("/api/auth/password", &password).await.expect(403);
    program.patch("/api/auth/me", &json!({"email": "eve@example.com"})).await.expect(403);
    program.post("/api/auth/keys", &json!({"name": "y"})).await.expect(403);
    program.get("/api/auth/keys").await.expect(403);
    program.delete(&format!("/api/auth/keys/{id}")).await.expect(403);
    program.get("/api/auth/sessions").await.expect(403);
    program.post("/api/auth/logout", &json!({})).await.expect(403);
    program.post("/api/auth/logout-all", &json!({})).await.expect(403);
    let own = json!({"password": PASSWORD});
    program.post("/api/auth/totp", &own).await.expect(403);
    program.post("/api/auth/totp/confirm", &json!({"code": "000000"})).await.expect(403);
    program.post("/api/auth/email/verify", &json!({})).await.expect(403);
    for path in ["/api/auth/totp", "/api/auth/me", "/api/auth/sessions/sess_01KAM0TVT0C9B6JYQ4GXFMWV3H"] {
        send(program.request(Method::DELETE, path).json(&own)).await.expect(403);
    }
    // A key exports the data of its user, but no sessions and no other keys.
    let kinds = |answer: Answer| {
        let records = answer.body["records"].as_array().unwrap().clone();
        records.iter().filter_map(|record| record["kind"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let (whole, part) = (ada.get("/api/auth/me/export").await, program.get("/api/auth/me/export").await);
    let (whole, part) = (kinds(whole.expect(200)), kinds(part.expect(200)));
    assert!(
        whole.iter().any(|kind| kind == "session") && whole.iter().any(|kind| kind == "key"),
        "{whole:?}"
    );
    assert!(part.iter().all(|kind| kind != "session" && kind != "key"), "{part:?}");
    assert!(part.iter().any(|kind| kind == "user"), "{part:?}");
}

#[tokio::test]
async fn an_expired_api_key_is_refused() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let (_, key) = make_key(&ada, &json!({"name": "x", "expires_in_days": 1})).await;
    let hash = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, key.as_bytes()));
    let at = json!({"S": format!("SECRET#{hash}")});
    let over = json!({
        "TableName": "StudioTable", "Key": {"pk": at, "sk": at}, "UpdateExpression": "SET ends_at = :over",
        "ConditionExpression": "attribute_exists(ends_at)", "ExpressionAttributeValues": {":over": {"N": "1"}},
    });
    let changed = dynamodb(&studio, "UpdateItem", &over).await;
    assert!(changed["ConsumedCapacity"].is_object(), "{changed}");
    ada.with_token(&key).get("/api/stats").await.expect(401);
    assert_eq!(Connection::open(&format!("{}?token={key}", studio.ws_url())).await.err(), Some(401));
}

#[tokio::test]
async fn concurrent_creations_keep_to_the_limit_of_api_keys() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let wanted = json!({"name": "x"});
    for _ in 0..45 {
        make_key(&ada, &wanted).await;
    }
    // Every request reads the user before the first key is written.
    let delay = DynamoDbFault::Delay(Duration::from_secs(1));
    studio.faults().dynamodb(delay, Target::operation("TransactWriteItems"), When::Always);
    let keys = join_all((0..40).map(|_| ada.post("/api/auth/keys", &wanted))).await;
    let statuses: Vec<u16> = keys.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 35, "{statuses:?}");
}

#[tokio::test]
async fn a_deleted_api_key_is_refused_within_seconds_and_its_connections_are_closed() {
    let studio = own_studio().await;
    let (ada, eve) = (studio.user("ada").await, studio.user("eve").await);
    let (id, key) = make_key(&ada, &json!({"name": "x"})).await;
    let (_, kept) = make_key(&ada, &json!({"name": "kept"})).await;
    let mut connection = Connection::open(&format!("{}?token={key}", studio.ws_url())).await.unwrap();
    connection.next("auth_success").await;
    let mut own = ada.connect().await;
    eve.delete(&format!("/api/auth/keys/{id}")).await.expect(404);
    ada.with_token(&key).get("/api/stats").await.expect(200);
    ada.delete(&format!("/api/auth/keys/{id}")).await.expect(200);
    connection.closed().await;
    eventually("the key is refused", || async {
        (ada.with_token(&key).get("/api/stats").await.status == 401).then_some(())
    })
    .await;
    assert_eq!(Connection::open(&format!("{}?token={key}", studio.ws_url())).await.err(), Some(401));
    ada.delete(&format!("/api/auth/keys/{id}")).await.expect(404);
    own.next("user_disconnected").await;
    own.is_quiet().await;
    // Ending all sessions keeps the API keys.
    ada.post("/api/auth/logout-all", &json!({})).await.expect(200);
    ada.with_token(&kept).get("/api/stats").await.expect(200);
}

#[tokio::test]
async fn forged_api_keys_and_invalid_requests_are_refused() {
    let studio = shared_studio().await;
    let ada = studio.user("ada").await;
    let (_, key) = make_key(&ada, &json!({"name": "x", "expires_in_days": 1})).await;
    for forged in ["sk-studio-", &format!("{key}x"), &key[..key.len() - 1], &key.to_lowercase()] {
        ada.with_token(forged).get("/api/stats").await.expect(401);
    }
    for wish in [
        json!({}),
        json!({"name": ""}),
        json!({"name": "x".repeat(65)}),
        json!({"name": "x", "expires_in_days": 0}),
        json!({"name": "x", "expires_in_days": 3651}),
        json!({"name": "x", "more": 1}),
    ] {
        ada.post("/api/auth/keys", &wish).await.expect(422);
    }
    let listed = ada.get("/api/auth/keys").await.expect(200).body;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert!(listed[0]["expires_at"].is_string());
}
