//! Items left over by interrupted deletions and large writes are removed, and no item in use is.

use std::time::Duration;

use futures_util::future::join_all;
use local::{DynamoDbFault, Target, When};
use reqwest::Method;
use serde_json::{Value, json};

use crate::faults::interrupted_writes::{conversation, killed_after};
use crate::support::{
    assert_statistics_match, conversation_items, dynamodb, eventually, finish_notes, move_into_past, notes,
    own_studio, send,
};

const PATH: &str = "/api/conversations/c";

/// The items of a partition.
#[tokio::test]
async fn an_interrupted_deletion_is_finished_by_the_next_and_its_tombstone_stays_for_a_day() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    user.post("/api/conversations", &conversation("c", "m", 200)).await.expect(200);
    killed_after(&studio, &user, 3, Method::DELETE, PATH, &Value::Null).await;
    user.get(PATH).await.expect(404);
    let left = conversation_items(&studio, &user, "c").await;
    assert!(left.len() > 100, "{} items are left", left.len());
    assert_eq!((&left[0]["kind"]["S"], left[0].get("expires_at")), (&json!("tombstone"), None));
    user.delete(PATH).await.expect(404);
    let left = conversation_items(&studio, &user, "c").await;
    assert_eq!(left.len(), 1, "all that hung on it is gone");
    let expires: u64 = left[0]["expires_at"]["N"].as_str().expect("a TTL").parse().unwrap();
    let made = user.post("/api/conversations", &json!({"title": "Now"})).await.expect(200).body;
    let now = made["createdAt"].as_u64().unwrap() / 1000;
    assert!((now + 86_300..=now + 86_400).contains(&expires), "{expires} is a day after {now}");
    // The cleanup intent waits for a minute before others take it over.
    finish_notes(&studio, &user).await;
    // The id can be used again once the tombstone has expired.
    user.post("/api/conversations", &conversation("c", "m", 1)).await.expect(409);
    let key = json!({"TableName": "StudioTable", "Key": {"pk": left[0]["pk"], "sk": left[0]["sk"]}});
    dynamodb(&studio, "DeleteItem", &key).await;
    user.post("/api/conversations", &conversation("c", "again", 1)).await.expect(200);
    assert_statistics_match(&user, "after all").await;
}

#[tokio::test]
async fn an_unfinished_creation_is_removed_with_all_its_items() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    let body = conversation("c", "dead", 200);
    killed_after(&studio, &user, 3, Method::POST, "/api/conversations", &body).await;
    let left = conversation_items(&studio, &user, "c").await;
    assert!(left.len() > 25, "{} items", left.len());
    assert_eq!(left[0]["kind"]["S"], "shell");
    user.get(PATH).await.expect(404);
    assert_eq!(conversation_items(&studio, &user, "c").await.len(), left.len(), "its maker may live");
    move_into_past(&studio, &left[0], "writing_until").await;
    for note in notes(&studio, &user).await {
        move_into_past(&studio, &note, "until").await;
    }
    user.get(PATH).await.expect(404);
    assert_eq!(conversation_items(&studio, &user, "c").await, Vec::<Value>::new());
    assert_eq!(notes(&studio, &user).await, Vec::<Value>::new());
    user.post("/api/conversations", &conversation("c", "small", 2)).await.expect(200);
    assert_statistics_match(&user, "after all").await;
}

#[tokio::test]
async fn items_of_a_refused_creation_are_removed() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    let post = |body: Value| {
        send(user.request(Method::POST, "/api/conversations").header("idempotency-key", "k").json(&body))
    };
    post(json!({"title": "First"})).await.expect(200);
    let refused = post(conversation("c", "large", 150)).await.expect(422);
    assert_eq!(refused.body["code"], "idempotency_key_reused");
    assert_eq!(conversation_items(&studio, &user, "c").await, Vec::<Value>::new());
    assert_eq!(notes(&studio, &user).await, Vec::<Value>::new());
    assert_statistics_match(&user, "after a refusal").await;
}

#[tokio::test]
async fn a_deletion_in_progress_removes_no_item_of_a_recreated_conversation() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    user.post("/api/conversations", &conversation("c", "m", 200)).await.expect(200);
    let exported = user.get(&format!("{PATH}/export")).await.expect(200).body;
    let before = user.get(PATH).await.expect(200).body;
    // The batches of the first deletion are delayed.
    let (struck, late) = (studio.faults().struck(), DynamoDbFault::Delay(Duration::from_secs(3)));
    studio.faults().dynamodb(late, Target::operation("BatchWriteItem"), When::Times(8));
    let (deleted, imported) = tokio::join!(user.delete(PATH), async {
        let sweeps = || studio.faults().struck() == struck + 8;
        eventually("it sweeps", async || sweeps().then_some(())).await;
        user.post("/api/import", &exported).await.expect(200).body
    });
    assert_eq!((deleted.status, &imported["imported"]), (200, &json!(1)), "{imported}");
    let after = user.get(PATH).await.expect(200).body;
    assert!(after["messages"] == before["messages"], "nothing is lost");
    assert_statistics_match(&user, "after it came back").await;
    user.delete(PATH).await.expect(200);
    assert_eq!(conversation_items(&studio, &user, "c").await.len(), 1, "its tombstone");
}

#[tokio::test]
async fn a_throttled_database_slows_a_large_write_but_does_not_fail_it() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    user.post("/api/conversations", &conversation("c", "old", 5)).await.expect(200);
    let batches = || Target::operation("BatchWriteItem");
    for (what, fault) in [
        ("each batch takes four seconds", DynamoDbFault::Delay(Duration::from_secs(4))),
        ("of each batch, one write is taken at a time", DynamoDbFault::LeftOver),
    ] {
        studio.faults().dynamodb(fault, batches(), When::Always);
        let body = conversation("c", what, 90);
        let stored = user.put(PATH, &body).await.expect(200).body;
        studio.faults().clear();
        assert!(stored["messages"].as_array().unwrap().len() == 90, "{what}");
        assert!(user.get(PATH).await.expect(200).body == stored, "{what}");
    }
    assert_statistics_match(&user, "after busy times").await;
}

#[tokio::test]
async fn many_large_replacements_at_once_all_succeed() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    let count = 5;
    let replaced = (0..count).map(async |number| {
        let (id, path) = (format!("c{number}"), format!("/api/conversations/c{number}"));
        user.post("/api/conversations", &conversation(&id, "old", 3)).await.expect(200);
        let request = user.request(Method::PUT, &path).json(&conversation(&id, "new", 600));
        send(request.timeout(Duration::from_secs(60))).await.expect(200);
    });
    join_all(replaced).await;
    let stats = user.get("/api/stats").await.expect(200).body;
    assert_eq!(stats["total_messages"], count * 600);
    assert_statistics_match(&user, "after many large writes").await;
}
