//! Large writes and deletions whose process dies halfway: readers and counters never see half of them, and leftovers
//! are removed.

use std::time::Duration;

use local::{DynamoDbFault, Target, When};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestStudio, User, assert_statistics_match, eventually, own_studio, send};

fn messages(prefix: &str, count: usize) -> Vec<Value> {
    let message =
        |n| json!({"id": format!("{prefix}{n}"), "role": "user", "content": format!("{prefix} {n}")});
    (0..count).map(message).collect()
}

pub(crate) fn conversation(id: &str, prefix: &str, count: usize) -> Value {
    json!({"id": id, "title": prefix, "messages": messages(prefix, count)})
}

/// Sends a request and kills the function once `batches` of its batches were written.
pub(crate) async fn killed_after(
    studio: &TestStudio,
    user: &User,
    batches: u32,
    method: Method,
    path: &str,
    body: &Value,
) {
    let before = studio.faults().struck();
    let operation = || Target::operation("BatchWriteItem");
    studio.faults().dynamodb(DynamoDbFault::Delay(Duration::ZERO), operation(), When::Times(batches));
    studio.faults().dynamodb(DynamoDbFault::Delay(Duration::from_secs(60)), operation(), When::Always);
    let request = user.request(method, path).json(body);
    let (answer, ()): (Answer, ()) = tokio::join!(send(request), async {
        let struck = || studio.faults().struck() > before + u64::from(batches);
        eventually("the batches are written", async || struck().then_some(())).await;
        studio.kill_all("conversations");
    });
    assert_eq!(answer.status, 500, "{}", answer.text);
    studio.faults().clear();
}

#[tokio::test]
async fn an_interrupted_creation_is_invisible_and_its_id_can_be_used() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    let path = "/api/conversations";
    killed_after(&studio, &user, 3, Method::POST, path, &conversation("c", "dead", 200)).await;
    user.get("/api/conversations/c").await.expect(404);
    assert_eq!(user.get(path).await.expect(200).body, json!([]));
    assert_statistics_match(&user, "after a creation that died").await;
    user.delete("/api/conversations/c").await.expect(404);
    // A small conversation can use the id.
    let small = conversation("c", "small", 2);
    user.post(path, &small).await.expect(200);
    let read = user.get("/api/conversations/c").await.expect(200).body;
    assert_eq!((&read["title"], read["messages"].as_array().unwrap().len()), (&json!("small"), 2));
    killed_after(&studio, &user, 3, Method::POST, path, &conversation("d", "dead", 200)).await;
    user.post(path, &conversation("d", "large", 150)).await.expect(200);
    let read = user.get("/api/conversations/d").await.expect(200).body;
    assert_eq!(read["messages"].as_array().unwrap().len(), 150);
    assert!(
        read["messages"].as_array().unwrap().iter().all(|m| m["id"].as_str().unwrap().starts_with("large"))
    );
    assert_statistics_match(&user, "after others took the places over").await;
    let deleted = user.post("/api/conversations/delete", &json!({"all": true})).await.expect(200).body;
    assert_eq!(deleted["deleted"], 2, "{deleted}");
    assert_statistics_match(&user, "after deleting all").await;
}

#[tokio::test]
async fn an_interrupted_replacement_leaves_the_conversation_unchanged() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    let path = "/api/conversations/c";
    let old = conversation("c", "old", 150);
    user.post("/api/conversations", &old).await.expect(200);
    let before = user.get(path).await.expect(200).body;
    killed_after(&studio, &user, 3, Method::PUT, path, &conversation("c", "new", 200)).await;
    assert!(user.get(path).await.expect(200).body == before, "nothing changed");
    assert_statistics_match(&user, "after a replacement that died").await;
    user.post(&format!("{path}/messages"), &json!({"id": "more", "role": "user", "content": "x"}))
        .await
        .expect(200);
    user.patch(&format!("{path}/messages/old3"), &json!({"content": "changed"})).await.expect(200);
    let read = user.get(path).await.expect(200).body;
    assert_eq!(
        (read["messages"].as_array().unwrap().len(), &read["messages"][3]["content"]),
        (151, &json!("changed"))
    );
    let newer = user.put(path, &conversation("c", "newer", 120)).await.expect(200).body;
    assert!(user.get(path).await.expect(200).body == newer, "another replacement stands");
    assert_statistics_match(&user, "after another replacement").await;
}

#[tokio::test]
async fn an_interrupted_deletion_of_many_conversations_continues() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    for number in 0..12 {
        user.post("/api/conversations", &conversation(&format!("c{number}"), "m", 60)).await.expect(200);
    }
    let all = json!({"all": true});
    // Four conversations are deleted concurrently, in five batches each. After sixteen batches none is listed.
    killed_after(&studio, &user, 15, Method::POST, "/api/conversations/delete", &all).await;
    let left = user.get("/api/conversations?view=summary").await.expect(200).body;
    assert_eq!(left.as_array().unwrap().len(), 8);
    assert_statistics_match(&user, "after a deletion that died").await;
    let done = user.post("/api/conversations/delete", &all).await.expect(200).body;
    assert_eq!(done, json!({"deleted": 8, "remaining": false}));
    assert_eq!(user.get("/api/conversations").await.expect(200).body, json!([]));
    assert_statistics_match(&user, "after deleting all").await;
    for number in 0..12 {
        let again = conversation(&format!("c{number}"), "m", 1);
        assert_eq!(
            user.post("/api/conversations", &again).await.expect(409).body["code"],
            "conversation_deleted"
        );
    }
}
