//! Conversations are stored and returned unchanged.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{assert_statistics_match, ids, path_of, send, shared_studio};

/// Some moment of the past, in milliseconds.
pub(super) const PAST: u64 = 1_795_300_000_000;

/// A message with the role `user` for odd numbers, `assistant` for even ones.
pub(super) fn message(number: usize, content: &str) -> Value {
    let role = if number % 2 == 1 { "user" } else { "assistant" };
    json!({"id": format!("m{number}"), "content": content, "role": role, "timestamp": PAST + number as u64})
}

pub(super) fn messages(numbers: impl IntoIterator<Item = usize>) -> Vec<Value> {
    numbers.into_iter().map(|number| message(number, &format!("Message {number}"))).collect()
}

pub(super) fn conversation(id: &str, messages: Vec<Value>) -> Value {
    let mut conversation =
        json!({"id": id, "title": "A talk", "createdAt": PAST, "updatedAt": PAST, "model": "gpt-4"});
    conversation["messages"] = Value::from(messages);
    conversation
}

#[tokio::test]
async fn a_conversation_comes_back_as_it_was_sent() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let mut sent = json!({
        "id": "my-own-id", "title": "旅行 plans", "createdAt": PAST, "updatedAt": PAST + 5, "model": "claude-3",
        "systemPrompt": "Be brief.\nBe kind.", "userId": "user_somebody_else", "isPinned": true,
        "messages": [
            {"id": "a", "content": "You are a guide.", "role": "system", "timestamp": PAST},
            {"id": "b", "content": "Hello", "role": "user", "timestamp": PAST + 1, "extra": {"deep": [1]}},
            {"id": "c", "content": "你好", "role": "assistant", "timestamp": PAST + 2, "model": "gpt-4", "tokens": 7},
            {"id": "d", "content": "", "role": "user", "timestamp": PAST + 3},
        ],
    });
    let created = user.post("/api/conversations", &sent).await.expect(200);
    // Unknown fields are not stored.
    sent["userId"] = json!(user.id);
    sent.as_object_mut().unwrap().remove("isPinned");
    sent["messages"][1].as_object_mut().unwrap().remove("extra");
    assert_eq!(created.body, sent);
    assert_eq!(created.header("content-type"), "application/json");
    for seconds in [created.header("x-process-time"), user.get("/api/stats").await.header("x-process-time")] {
        assert!(seconds.parse::<f64>().is_ok_and(|seconds| (0.0..30.0).contains(&seconds)), "{seconds}");
    }
    assert_eq!(user.get("/api/conversations/my-own-id").await.expect(200).body, sent);
    assert_eq!(user.get("/api/conversations").await.expect(200).body, json!([sent]));
}

#[tokio::test]
async fn omitted_fields_get_defaults() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let body = json!({"title": "T", "messages": [{"content": "x", "role": "user"}, {"content": "y", "role": "user"}]});
    let created = user.post("/api/conversations", &body).await.expect(200).body;
    assert!(created["id"].as_str().unwrap().starts_with("conv_"), "{created}");
    assert_eq!((&created["model"], &created["userId"]), (&json!("gpt-3.5-turbo"), &json!(user.id)));
    assert!(created["createdAt"].as_u64().unwrap() > PAST - 1_000_000_000_000, "{created}");
    assert_eq!(created["createdAt"], created["updatedAt"]);
    assert!(created.get("systemPrompt").is_none(), "an absent prompt stays absent");
    let made = ids(&created["messages"]);
    assert!(made.iter().all(|id| id.starts_with("msg_")) && made[0] != made[1], "{created}");
    assert!(created["messages"][0]["timestamp"].is_u64(), "{created}");
    let path = path_of(created["id"].as_str().unwrap());
    assert_eq!(user.get(&path).await.expect(200).body, created);
    let bare = user.post("/api/conversations", &json!({"title": "Bare"})).await.expect(200).body;
    assert_eq!(bare["messages"], json!([]));
    assert_ne!(bare["id"], created["id"]);
}

#[tokio::test]
async fn replacing_a_conversation_keeps_exactly_what_was_sent() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.post("/api/conversations", &conversation("c", messages(1..=6))).await.expect(200);
    let mut changed = messages(1..=6);
    changed[2]["content"] = json!("Changed");
    changed[3]["role"] = json!("system");
    changed[4]["tokens"] = json!(12);
    let replacements = [
        ("appended", messages(1..=8)),
        ("changed", changed),
        ("removed at the end", messages(1..=4)),
        ("removed at the start and in the middle", messages([2, 4])),
        ("inserted in the middle", messages([2, 9, 4])),
        ("reordered", messages([4, 2, 9])),
        ("all others", messages(20..=25)),
        ("those from before", messages(1..=6)),
        ("backwards and more than one transaction holds", messages((1..=70).rev())),
        ("a few of these", messages([70, 35, 1])),
        ("none", Vec::new()),
        ("some again", messages([3, 1])),
    ];
    for (what, messages) in replacements {
        let mut body = conversation("c", messages);
        body["title"] = json!(what);
        let put = user.put("/api/conversations/c", &body).await.expect(200);
        body["userId"] = json!(user.id);
        assert_eq!(put.body, body, "{what}");
        assert_eq!(user.get("/api/conversations/c").await.expect(200).body, body, "{what}");
        assert_eq!(user.get("/api/conversations").await.expect(200).body, json!([body]), "{what}");
        assert_statistics_match(&user, what).await;
    }
    let mut other = conversation("c", messages([1]));
    other.as_object_mut().unwrap().remove("id");
    other["systemPrompt"] = json!("Be brief.");
    assert_eq!(user.put("/api/conversations/c", &other).await.expect(200).body["id"], "c");
    let without_prompt = conversation("c", messages([1]));
    let put = user.put("/api/conversations/c", &without_prompt).await.expect(200);
    assert!(put.body.get("systemPrompt").is_none(), "what is left out is gone");
    user.put("/api/conversations/c", &conversation("d", Vec::new())).await.expect(422);
}

#[tokio::test]
async fn a_deleted_conversation_is_gone_and_its_id_stays_reserved() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let body = conversation("c", messages(1..=70));
    user.put("/api/conversations/c", &body).await.expect(404);
    user.get("/api/conversations/c").await.expect(404);
    user.delete("/api/conversations/c").await.expect(404);
    user.post("/api/conversations", &body).await.expect(200);
    user.post("/api/conversations", &conversation("kept", messages([1]))).await.expect(200);
    let again = user.post("/api/conversations", &conversation("c", Vec::new())).await.expect(409);
    assert_eq!(again.body["code"], "conversation_exists");
    user.post("/api/conversations", &body).await.expect(409);
    assert_eq!(
        user.get("/api/conversations/c").await.expect(200).body["messages"].as_array().unwrap().len(),
        70
    );
    let deleted = user.delete("/api/conversations/c").await.expect(200);
    assert!(deleted.body["message"].is_string(), "{}", deleted.text);
    for answer in [
        user.get("/api/conversations/c").await,
        user.put("/api/conversations/c", &body).await,
        user.delete("/api/conversations/c").await,
    ] {
        assert_eq!((answer.status, &answer.body["detail"]), (404, &json!("Conversation not found")));
    }
    assert_eq!(user.post("/api/conversations", &body).await.expect(409).body["code"], "conversation_deleted");
    assert_eq!(ids(&user.get("/api/conversations").await.body), ["kept"]);
    assert_eq!(user.get("/api/stats").await.body["total_messages"], 1);
    assert_statistics_match(&user, "after deleting").await;
}

#[tokio::test]
async fn two_thousand_messages_are_stored_and_reordered_whole() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let mut body = conversation("long", messages(1..=2000));
    user.post("/api/conversations", &body).await.expect(200);
    body["userId"] = json!(user.id);
    assert!(user.get("/api/conversations/long").await.expect(200).body == body, "all of it comes back");
    body["messages"].as_array_mut().unwrap().reverse();
    assert!(user.put("/api/conversations/long", &body).await.expect(200).body == body, "PUT answers it");
    assert!(user.get("/api/conversations/long").await.expect(200).body == body, "it is reordered");
    assert_statistics_match(&user, "after reordering").await;
}

#[tokio::test]
async fn of_two_concurrent_replacements_one_is_stored_whole() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    for count in [5, 100] {
        let id = format!("c{count}");
        user.post("/api/conversations", &conversation(&id, messages(1..=count))).await.expect(200);
        for round in 0..3 {
            let version = |name: &str| {
                let mut sent = messages((1..=count).rev());
                for message in &mut sent {
                    message["content"] = json!(format!("{name} {round}"));
                }
                let mut body = conversation(&id, sent);
                (body["title"], body["userId"]) = (json!(format!("{name} {round}")), json!(user.id));
                body
            };
            let (one, other) = (version("one"), version("other"));
            let path = path_of(&id);
            let answers = tokio::join!(user.put(&path, &one), user.put(&path, &other));
            assert_eq!((answers.0.status, answers.1.status), (200, 200), "{}", answers.0.text);
            let read = user.get(&path).await.expect(200).body;
            assert!(read == one || read == other, "round {round} of {count}: a mixture");
            assert_statistics_match(&user, &format!("round {round} of {count}")).await;
        }
    }
}

#[tokio::test]
async fn of_concurrent_creations_with_one_id_one_wins() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    for count in [3, 100] {
        let body = conversation(&format!("c{count}"), messages(1..=count));
        let answers =
            futures_util::future::join_all((0..4).map(|_| user.post("/api/conversations", &body))).await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409, 409, 409]);
        let read = user.get(&path_of(&format!("c{count}"))).await.expect(200).body;
        assert_eq!(read["messages"], body["messages"]);
        assert_statistics_match(&user, &format!("{count} messages")).await;
    }
}

#[tokio::test]
async fn the_content_type_may_name_a_charset() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    for content_type in ["application/json; charset=utf-8", "Application/JSON"] {
        let request = user.request(Method::POST, "/api/conversations").header("content-type", content_type);
        send(request.body(r#"{"title":"T"}"#)).await.expect(200);
    }
}
