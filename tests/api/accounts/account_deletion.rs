//! Account deletion: all data of the user is deleted, even when functions die on the way.

use std::time::Duration;

use local::{DynamoDbFault, Target, When};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{
    Answer, Connection, PASSWORD, TestStudio, User, dynamodb, eventually, eventually_each, own_studio, send,
    studio_with,
};

async fn leave(user: &User, password: &str) -> Answer {
    send(user.request(Method::DELETE, "/api/auth/me").json(&json!({"password": password}))).await
}

/// How many stored items mention this text, such as the id of a user.
async fn items_of(studio: &TestStudio, user: &str) -> usize {
    let (mut found, mut from) = (0, Value::Null);
    loop {
        let mut scan = json!({"TableName": "StudioTable", "ConsistentRead": true});
        if !from.is_null() {
            scan["ExclusiveStartKey"] = from;
        }
        let page = dynamodb(studio, "Scan", &scan).await;
        let items = page["Items"].as_array().unwrap();
        found += items.iter().filter(|item| item.to_string().contains(user)).count();
        from = page["LastEvaluatedKey"].clone();
        if from.is_null() {
            return found;
        }
    }
}

async fn totals(studio: &TestStudio) -> (Value, Value) {
    // Needs a new instance: an old one may answer from its cache.
    studio.kill_all("StatsFunction");
    let health = studio.visitor().get("/health").await.expect(200).body;
    (health["total_users"].clone(), health["total_conversations"].clone())
}

#[tokio::test]
async fn a_deleted_account_is_gone_at_once_and_frees_its_name_and_address() {
    let studio = own_studio().await;
    let (ada, eve) = (studio.user("ada").await, studio.user("eve").await);
    ada.conversation("c", &["hello", "hi"]).await;
    eve.conversation("c", &["mine"]).await;
    let key = ada.post("/api/auth/keys", &json!({"name": "x"})).await.expect(200).body["key"].clone();
    let mut connection = ada.connect().await;
    // A reply without a conversation expires by itself only after a day, so the deletion must remove it.
    connection.chat(&json!({"type": "chat", "content": "hello, a word in passing"})).await;
    let text = ada.get("/api/auth/me/export").await.expect(200).text;
    assert!(text.contains("a word in passing"), "{text}");
    assert_eq!(leave(&ada, "a wrong password").await.status, 403);
    leave(&ada, PASSWORD).await.expect(200);
    connection.closed().await;
    for token in [ada.token.as_str(), key.as_str().unwrap()] {
        eventually("the token is refused", || async {
            (ada.with_token(token).get("/api/stats").await.status == 401).then_some(())
        })
        .await;
        assert!(Connection::open(&format!("{}?token={token}", studio.ws_url())).await.is_err());
    }
    eventually("me is not found", || async { (ada.get("/api/auth/me").await.status == 404).then_some(()) })
        .await;
    let credentials = json!({"username": "ada", "password": PASSWORD});
    studio.visitor().post("/api/auth/login", &credentials).await.expect(401);
    let again = studio.user("ada").await;
    assert_ne!(again.id, ada.id);
    assert_eq!(again.get("/api/conversations").await.expect(200).body, json!([]));
    eventually("nothing is left", || async { (items_of(&studio, &ada.id).await == 0).then_some(()) }).await;
    let rest = dynamodb(&studio, "Scan", &json!({"TableName": "StudioTable"})).await.to_string();
    assert!(!rest.contains("a word in passing"), "{rest}");
    assert_eq!(totals(&studio).await, (json!(2), json!(1)));
    assert_eq!(eve.get("/api/conversations/c").await.expect(200).body["messages"][0]["content"], "mine");
}

#[tokio::test]
async fn an_interrupted_account_deletion_continues_and_leaves_nothing() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let mut creations = JoinSet::new();
    for number in 0..40 {
        let (client, messages) = (ada.with_token(&ada.token), ["hello", "hi"].repeat(15));
        creations.spawn(async move {
            let messages: Vec<Value> =
                messages.iter().map(|text| json!({"role": "user", "content": text})).collect();
            let body = json!({"id": format!("c{number}"), "title": "x", "messages": messages});
            client.post("/api/conversations", &body).await.expect(200);
        });
    }
    creations.join_all().await;
    let before = items_of(&studio, &ada.id).await;
    assert!(before > 1200, "{before}");
    leave(&ada, PASSWORD).await.expect(200);
    // The function dies twice in the middle of its work. Lambda invokes it three times in all.
    let mut left = before;
    for _ in 0..2 {
        eventually_each(Duration::from_millis(1), "some items are gone", || async {
            (items_of(&studio, &ada.id).await < left).then_some(())
        })
        .await;
        studio.kill_all("TasksFunction");
        let killed = items_of(&studio, &ada.id).await;
        assert!(killed > 0, "the function was done before it was killed");
        println!("killed with {killed} of {before} items left");
        left = killed;
    }
    let seldom = Duration::from_millis(300);
    eventually_each(seldom, "nothing is left", || async {
        (items_of(&studio, &ada.id).await == 0).then_some(())
    })
    .await;
    assert_eq!(totals(&studio).await, (json!(0), json!(0)));
}

#[tokio::test]
async fn conversations_created_during_an_account_deletion_are_deleted_too() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let mut creations = JoinSet::new();
    for number in 0..30 {
        let client = ada.with_token(&ada.token);
        creations.spawn(async move {
            let body = json!({"id": format!("c{number}"), "title": "x", "messages": [{"role": "user", "content": "hi"}]});
            client.post("/api/conversations", &body).await.status
        });
    }
    leave(&ada, PASSWORD).await.expect(200);
    let statuses = creations.join_all().await;
    assert!(statuses.iter().all(|status| matches!(status, 200 | 401)), "{statuses:?}");
    eventually("nothing is left", || async { (items_of(&studio, &ada.id).await == 0).then_some(()) }).await;
    assert_eq!(totals(&studio).await, (json!(0), json!(0)));
}

#[tokio::test]
async fn a_failed_account_deletion_is_queued_and_can_be_repeated() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    ada.conversation("c", &["hello", "hi"]).await;
    studio.faults().dynamodb(
        DynamoDbFault::InternalError,
        Target::operation("Query").table("StudioTable"),
        When::Always,
    );
    leave(&ada, PASSWORD).await.expect(200);
    let kept = eventually("the task is given up", || async { studio.queue("FailedTasks").pop() }).await;
    assert!(items_of(&studio, &ada.id).await > 0);
    studio.faults().clear();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    studio.invoke("TasksFunction", kept["requestPayload"].clone()).await.unwrap();
    assert_eq!(items_of(&studio, &ada.id).await, 0);
}

#[tokio::test]
async fn an_account_deletion_leaves_no_secret_counter_or_name() {
    let studio = studio_with(|options| options.variable("RATE_LIMIT", "1000")).await;
    let ada = studio.user("ada-lovelace").await;
    ada.post("/api/auth/ws-ticket", &json!({})).await.expect(200);
    let forgot = json!({"email": "ada-lovelace@example.com"});
    studio.visitor().post("/api/auth/password/forgot", &forgot).await.expect(200);
    let create = ada.request(Method::POST, "/api/conversations").header("Idempotency-Key", "once");
    send(create.json(&json!({"title": "x", "messages": []}))).await.expect(200);
    leave(&ada, "a wrong password").await.expect(403);
    eventually("mails arrive", || async { (studio.mailbox().len() == 2).then_some(()) }).await;
    let before = items_of(&studio, &ada.id).await;
    assert!(before > 10, "{before}");
    leave(&ada, PASSWORD).await.expect(200);
    // While an instance still accepts the token, it counts requests under the user.
    while ada.post("/api/conversations/delete", &json!({"ids": []})).await.status != 401 {}
    for trace in [ada.id.as_str(), "ada-lovelace"] {
        eventually("nothing is left", || async { (items_of(&studio, trace).await == 0).then_some(()) }).await;
    }
}
