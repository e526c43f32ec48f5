//! Statistics: every counter equals what a recount of the conversations gives.

use serde_json::{Value, json};

use crate::support::{User, assert_statistics_match, eventually, own_studio, path_of, shared_studio};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// A conversation with a message at each of these times; every second one is a reply with tokens.
fn conversation(id: &str, model: &str, created: u64, times: &[u64]) -> Value {
    let message = |(number, time): (usize, &u64)| match number % 2 {
        0 => json!({"id": format!("m{number}"), "role": "user", "content": "问?", "timestamp": time}),
        _ => json!({"id": format!("m{number}"), "role": "assistant", "content": "答案 🎉!".repeat(number),
            "timestamp": time, "tokens": 10 * number}),
    };
    let messages: Vec<Value> = times.iter().enumerate().map(message).collect();
    json!({"id": id, "title": format!("On {id}"), "model": model, "messages": messages,
        "createdAt": created, "updatedAt": created})
}

/// `count` times, each so much earlier than the one before.
fn times(now: u64, count: u64, apart: u64) -> Vec<u64> {
    (0..count).map(|number| now - number * apart).collect()
}

/// Conversations of all hours and days, some beyond what the statistics show.
async fn create_conversations(user: &User, now: u64) {
    for (id, model, created, times) in [
        ("hours", "gpt-4", now, times(now, 26, HOUR)),
        ("days", "gpt-4", now - 6 * DAY, times(now, 40, DAY)),
        ("old", "模型#1", now - 7 * DAY, vec![0, 1, now - 400 * DAY]),
        ("future", "claude-3", now + 3 * DAY, vec![now + DAY, now + 90 * DAY, 253_402_207_200_000]),
        (
            "single",
            "MODEL#$",
            now - 29 * DAY,
            vec![now - 29 * DAY, now - 30 * DAY, now - 6 * DAY, now - 7 * DAY],
        ),
    ] {
        let body = conversation(id, model, created, &times);
        user.post("/api/conversations", &body).await.expect(200);
    }
    for number in 0..8 {
        user.post("/api/conversations", &conversation(&format!("n{number}"), "many", now - number, &[now]))
            .await
            .expect(200);
    }
}

/// Replaces conversations by shorter and longer ones.
async fn replace_conversations(user: &User, now: u64) {
    for (id, model, created, times) in [
        ("hours", "claude-3", now - DAY, times(now, 5, HOUR)),
        ("days", "gpt-4", now, times(now, 80, DAY)),
        ("old", "模型#1", now - 7 * DAY, Vec::new()),
    ] {
        user.put(&format!("/api/conversations/{id}"), &conversation(id, model, created, &times))
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn statistics_equal_a_recount() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    assert_statistics_match(&user, "nothing yet").await;
    let empty = user.get("/api/stats/detailed").await.body;
    assert_eq!(empty["insights"]["most_used_model"], Value::Null);
    let now = user.post("/api/conversations", &json!({"title": "Now"})).await.expect(200).body["createdAt"]
        .as_u64();
    let now = now.unwrap();
    create_conversations(&user, now).await;
    assert_statistics_match(&user, "after creating").await;
    replace_conversations(&user, now).await;
    assert_statistics_match(&user, "after replacing").await;
    let mut connection = user.connect().await;
    for (conversation, content) in [("hours", "hello"), ("hours", "/tokens 40"), ("brand new", "repeat 我")]
    {
        let (_, complete) = connection
            .chat(&json!({"type": "chat", "conversationId": conversation, "content": content}))
            .await;
        assert_eq!(complete["status"], "complete", "{complete}");
    }
    connection.chat(&json!({"type": "chat", "content": "stored nowhere"})).await;
    assert_statistics_match(&user, "after chatting").await;
    for id in ["days", "future", "n3", "single"] {
        user.delete(&format!("/api/conversations/{id}")).await.expect(200);
    }
    assert_statistics_match(&user, "after deleting").await;
    let list = user.get("/api/conversations").await.body;
    for conversation in list.as_array().unwrap() {
        let id = conversation["id"].as_str().unwrap();
        user.delete(&path_of(id)).await.expect(200);
    }
    assert_statistics_match(&user, "after deleting all").await;
    assert_eq!(user.get("/api/stats").await.body["total_tokens"], 0);
}

#[tokio::test]
async fn health_counts_users_conversations_and_connections() {
    let studio = own_studio().await;
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    alice.conversation("one", &["a", "b"]).await;
    bob.conversation("one", &["a"]).await;
    bob.conversation("two", &[]).await;
    let connection = alice.connect().await;
    let _second = bob.connect().await;
    let health = studio.visitor().get("/health").await.expect(200);
    let timestamp = health.body["timestamp"].as_str().unwrap();
    assert!(timestamp.ends_with('Z') && timestamp.contains('T'), "{timestamp}");
    let expected = json!({"status": "healthy", "timestamp": timestamp, "active_connections": 2, "total_users": 2,
        "total_conversations": 3});
    assert_eq!(health.body, expected);
    bob.delete("/api/conversations/two").await.expect(200);
    connection.close().await;
    eventually("the totals of /health follow", async || {
        let body = studio.visitor().get("/health").await.expect(200).body;
        (body["active_connections"] == 1 && body["total_conversations"] == 2).then_some(())
    })
    .await;
}
