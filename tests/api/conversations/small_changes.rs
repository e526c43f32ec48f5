//! Small changes of a conversation, `If-Match`, and `Idempotency-Key`.

use futures_util::future::join_all;
use local::{DynamoDbFault, Target, When};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, User, assert_statistics_match, ids, own_studio, read, send, shared_studio};

async fn with_header(
    user: &User,
    method: Method,
    path: &str,
    header: (&'static str, &str),
    body: &Value,
) -> Answer {
    send(user.request(method, path).header(header.0, header.1).json(body)).await
}

#[tokio::test]
async fn a_conversation_is_renamed_pinned_and_tagged_without_sending_messages() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let before = user.conversation("c", &["one", "two"]).await;
    user.conversation("d", &["one"]).await;
    let path = "/api/conversations/c";
    let changed =
        user.patch(path, &json!({"title": "New 名", "systemPrompt": "Be brief."})).await.expect(200).body;
    assert_eq!((&changed["title"], &changed["systemPrompt"]), (&json!("New 名"), &json!("Be brief.")));
    assert_eq!((&changed["message_count"], changed.get("messages")), (&json!(2), None));
    assert!(changed["updatedAt"].as_u64() > before["updatedAt"].as_u64(), "{changed}");
    let filed = json!({"pinned": true, "archived": true, "tags": ["a", "b"], "folder": "F"});
    let filed = user.patch(path, &filed).await.expect(200).body;
    assert_eq!(filed["updatedAt"], changed["updatedAt"], "filing something is no change of it");
    let stored = read(&user, "c").await;
    assert_eq!((&stored["pinned"], &stored["archived"]), (&json!(true), &json!(true)));
    assert_eq!((&stored["tags"], &stored["folder"]), (&json!(["a", "b"]), &json!("F")));
    assert_eq!(stored["messages"], before["messages"]);
    user.patch(path, &json!({"model": "claude-3"})).await.expect(200);
    assert_statistics_match(&user, "after another model").await;
    // The PUT of an old client keeps pins, tags and folders.
    user.put(path, &before).await.expect(200);
    let stored = read(&user, "c").await;
    assert_eq!((&stored["title"], &stored["folder"]), (&before["title"], &json!("F")));
    assert!(stored.get("systemPrompt").is_none(), "{stored}");
    for (query, expected) in [
        ("pinned=true", vec!["c"]),
        ("pinned=false", vec!["d"]),
        ("archived=true&tag=b&folder=F", vec!["c"]),
        ("archived=false&limit=1", vec!["d"]),
        ("tag=x", vec![]),
        ("folder=G", vec![]),
    ] {
        let list = user.get(&format!("/api/conversations?view=summary&{query}")).await.expect(200).body;
        assert_eq!(ids(&list), expected, "{query}");
    }
    let taken_away =
        json!({"pinned": false, "archived": false, "tags": [], "folder": null, "systemPrompt": null});
    user.patch(path, &taken_away).await.expect(200);
    let mut plain = read(&user, "c").await;
    plain["updatedAt"] = before["updatedAt"].clone();
    assert_eq!((&plain["title"], plain.get("folder")), (&before["title"], None));
    assert_eq!(plain["messages"], before["messages"]);
    assert_statistics_match(&user, "after all").await;
}

#[tokio::test]
async fn a_change_without_any_field_is_refused() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.conversation("c", &["one"]).await;
    let before = read(&user, "c").await;
    for body in [
        json!({}),
        json!([]),
        json!({"title": ""}),
        json!({"title": 7}),
        json!({"colour": "red"}),
        json!({"userId": "x"}),
        json!({"pinned": "yes"}),
        json!({"tags": ["a", "a"]}),
        json!({"tags": [""]}),
        json!({"tags": vec!["x"; 21]}),
        json!({"folder": "x".repeat(129)}),
        json!({"currentMessageId": "none"}),
    ] {
        user.patch("/api/conversations/c", &body).await.expect(422);
    }
    for body in [
        json!({}),
        json!({"role": "user"}),
        json!({"content": "x"}),
        json!({"role": "robot", "content": "x"}),
        json!({"role": "user", "content": "x", "parentId": "none"}),
        json!({"role": "user", "content": "x", "status": "complete"}),
        json!({"role": "user", "content": "x".repeat(65_537)}),
    ] {
        user.post("/api/conversations/c/messages", &body).await.expect(422);
    }
    for body in [json!({}), json!({"role": "user"}), json!({"content": null, "x": 1}), json!({"tokens": -1})]
    {
        user.patch("/api/conversations/c/messages/m0", &body).await.expect(422);
    }
    for body in [json!({}), json!({"all": false}), json!({"ids": ["c"], "all": true}), json!({"ids": [""]})] {
        user.post("/api/conversations/delete", &body).await.expect(422);
    }
    assert_eq!(read(&user, "c").await, before);
}

#[tokio::test]
async fn messages_are_appended_changed_and_deleted_one_by_one() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.conversation("c", &[]).await;
    let path = "/api/conversations/c/messages";
    for number in 0..6 {
        let role = if number % 2 == 0 { "user" } else { "assistant" };
        let body = json!({"id": format!("m{number}"), "role": role, "content": format!("Text {number}"), "tokens": 3});
        let appended = user.post(path, &body).await.expect(200).body;
        assert_eq!((&appended["id"], &appended["content"]), (&body["id"], &body["content"]));
    }
    assert_eq!(ids(&read(&user, "c").await["messages"]), ["m0", "m1", "m2", "m3", "m4", "m5"]);
    assert_statistics_match(&user, "after appending").await;
    // A repeated id is the same message; with another text it is refused.
    let again = json!({"id": "m3", "role": "assistant", "content": "Text 3"});
    assert_eq!(user.post(path, &again).await.expect(200).body["parentId"], "m2");
    let other = json!({"id": "m3", "role": "assistant", "content": "Another"});
    assert_eq!(user.post(path, &other).await.expect(409).body["code"], "message_exists");
    let changed = json!({"content": "Changed", "tokens": 9, "model": "claude"});
    let changed = user.patch(&format!("{path}/m5"), &changed).await.expect(200).body;
    assert_eq!((&changed["content"], &changed["tokens"]), (&json!("Changed"), &json!(9)));
    let list = user.get("/api/conversations?view=summary").await.expect(200).body;
    assert_eq!((&list[0]["preview"], &list[0]["message_count"]), (&json!("Changed"), &json!(6)));
    user.patch(&format!("{path}/m1"), &json!({"tokens": null})).await.expect(200);
    assert_statistics_match(&user, "after changing").await;
    for (gone, left) in [
        ("m5", vec!["m0", "m1", "m2", "m3", "m4"]),
        ("m0", vec!["m1", "m2", "m3", "m4"]),
        ("m2", vec!["m1", "m3", "m4"]),
    ] {
        user.delete(&format!("{path}/{gone}")).await.expect(200);
        user.delete(&format!("{path}/{gone}")).await.expect(404);
        assert_eq!(ids(&read(&user, "c").await["messages"]), left);
        assert_statistics_match(&user, gone).await;
    }
    let listed = user.get(path).await.expect(200).body;
    let parents: Vec<&Value> =
        listed.as_array().unwrap().iter().map(|message| &message["parentId"]).collect();
    assert_eq!(parents, [&Value::Null, &json!("m1"), &json!("m3")]);
    let list = user.get("/api/conversations?view=summary").await.expect(200).body;
    assert_eq!((&list[0]["preview"], &list[0]["message_count"]), (&json!("Text 4"), &json!(3)));
}

#[tokio::test]
async fn a_deleted_message_id_may_be_reused_and_a_missing_one_is_generated() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.conversation("c", &["zero", "one", "two", "three"]).await;
    let path = "/api/conversations/c/messages";
    user.delete(&format!("{path}/m3")).await.expect(200);
    user.post(path, &json!({"id": "m3", "role": "user", "content": "Back"})).await.expect(200);
    let made = user.post(path, &json!({"role": "user", "content": "Last"})).await.expect(200).body;
    assert!(made["id"].as_str().unwrap().starts_with("msg_"), "{made}");
    user.patch(&format!("{path}/{}", made["id"].as_str().unwrap()), &json!({"content": "New"}))
        .await
        .expect(200);
    assert_eq!(read(&user, "c").await["messages"][4]["content"], "New");
    for answer in [
        user.patch(&format!("{path}/none"), &json!({"content": "x"})).await,
        user.delete(&format!("{path}/none")).await,
    ] {
        assert_eq!(answer.expect(404).body["detail"], "Message not found");
    }
}

#[tokio::test]
async fn twenty_messages_at_once_are_all_appended() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.conversation("c", &["first"]).await;
    let path = "/api/conversations/c/messages";
    let bodies: Vec<Value> =
        (1..=10).map(|n| json!({"id": format!("m{n}"), "role": "user", "content": format!("{n}")})).collect();
    // Sends each message twice, as an impatient client does.
    let both = bodies.iter().chain(&bodies).map(|body| user.post(path, body));
    for answer in join_all(both).await {
        answer.expect(200);
    }
    let stored = read(&user, "c").await;
    let mut seen = ids(&stored["messages"]);
    seen.sort_unstable();
    let mut expected: Vec<String> = (0..=10).map(|n| format!("m{n}")).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    assert_statistics_match(&user, "after appending at once").await;
}

#[tokio::test]
async fn every_change_honours_if_match() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let conversation = user.conversation("c", &["one", "two"]).await;
    let path = "/api/conversations/c";
    let version = user.get(path).await.expect(200).header("etag").to_owned();
    assert!(version.starts_with('"') && version.ends_with('"'), "{version}");
    for known in [version.clone(), format!("W/{version}"), format!("\"x\", {version}")] {
        let same = with_header(&user, Method::GET, path, ("if-none-match", &known), &Value::Null).await;
        assert_eq!((same.status, same.text.as_str(), same.header("etag")), (304, "", version.as_str()));
    }
    let other = with_header(&user, Method::GET, path, ("if-none-match", "\"x\""), &Value::Null).await;
    assert_eq!(other.expect(200).body, conversation);
    let message = format!("{path}/messages/m0");
    let guarded = [
        (Method::PATCH, path.to_owned(), json!({"title": "Changed"})),
        (Method::PATCH, path.to_owned(), json!({"model": "other"})),
        (Method::PUT, path.to_owned(), conversation.clone()),
        (Method::PATCH, message.clone(), json!({"content": "Changed"})),
        (Method::POST, format!("{path}/messages"), json!({"role": "user", "content": "x"})),
        (Method::DELETE, message, Value::Null),
        (Method::DELETE, path.to_owned(), Value::Null),
    ];
    let mut version = version;
    for (method, path, body) in &guarded {
        for wrong in ["\"x\"", "nothing", "W/\"1\"", ""] {
            let refused = with_header(&user, method.clone(), path, ("if-match", wrong), body).await;
            assert_eq!(refused.expect(412).body["code"], "precondition_failed", "{method} {path} {wrong}");
        }
        let done = with_header(&user, method.clone(), path, ("if-match", &version), body).await.expect(200);
        let stale = with_header(&user, method.clone(), path, ("if-match", &version), body).await;
        assert!(matches!(stale.status, 412 | 404), "{method} {path}: {}", stale.status);
        version = done.header("etag").to_owned();
        if method != Method::DELETE || path.contains("messages") {
            assert_eq!(user.get("/api/conversations/c").await.expect(200).header("etag"), version);
        }
    }
    user.get(path).await.expect(404);
}

#[tokio::test]
async fn a_request_with_an_idempotency_key_has_one_effect() {
    let studio = shared_studio().await;
    let (user, other) = (studio.user("alice").await, studio.user("bob").await);
    let key = |key: &'static str| ("idempotency-key", key);
    let large: Vec<Value> = (0..120).map(|n| json!({"role": "user", "content": format!("{n}")})).collect();
    let created = json!({"title": "T", "messages": [{"role": "user", "content": "x"}]});
    for (key_text, body) in [("one", created.clone()), ("two", json!({"title": "Large", "messages": large}))]
    {
        let path = "/api/conversations";
        let requests = (0..4).map(|_| with_header(&user, Method::POST, path, key(key_text), &body));
        let answers = join_all(requests).await;
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (200, &answers[0].body), "{}", answer.text);
        }
        let mut changed = body.clone();
        changed["title"] = json!("Another");
        let refused = with_header(&user, Method::POST, path, key(key_text), &changed).await.expect(422);
        assert_eq!(refused.body["code"], "idempotency_key_reused");
    }
    assert_eq!(user.get("/api/stats").await.body["total_conversations"], 2);
    with_header(&other, Method::POST, "/api/conversations", key("one"), &created).await.expect(200);
    user.conversation("c", &["one"]).await;
    let message = json!({"role": "user", "content": "two"});
    let path = "/api/conversations/c/messages";
    let first = with_header(&user, Method::POST, path, key("m"), &message).await.expect(200);
    let again = with_header(&user, Method::POST, path, key("m"), &message).await.expect(200);
    assert_eq!(first.body, again.body);
    let fork = json!({"messageId": "m0"});
    let path = "/api/conversations/c/fork";
    let first = with_header(&user, Method::POST, path, key("f"), &fork).await.expect(200);
    assert_eq!(with_header(&user, Method::POST, path, key("f"), &fork).await.expect(200).body, first.body);
    assert_eq!(read(&user, "c").await["messages"].as_array().unwrap().len(), 2);
    assert_eq!(user.get("/api/stats").await.body["total_conversations"], 4);
    for bad in ["", "a b", &"x".repeat(129)] {
        with_header(&user, Method::POST, "/api/conversations", ("idempotency-key", bad), &created)
            .await
            .expect(422);
    }
    assert_statistics_match(&user, "after all").await;
}

#[tokio::test]
async fn any_change_whose_answer_is_lost_happens_once() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    user.conversation("c", &["one", "two"]).await;
    for operation in ["TransactWriteItems", "UpdateItem", "PutItem", "BatchWriteItem"] {
        studio.faults().dynamodb(
            DynamoDbFault::AnswerLost,
            Target::operation(operation),
            When::Probability(0.1),
        );
    }
    let path = "/api/conversations/c";
    for number in 0..20 {
        let message = json!({"id": format!("n{number}"), "role": "user", "content": format!("{number}")});
        user.post(&format!("{path}/messages"), &message).await.expect(200);
        user.patch(path, &json!({"title": format!("{number}"), "model": format!("m{}", number % 2)}))
            .await
            .expect(200);
        if number % 3 == 0 {
            user.delete(&format!("{path}/messages/n{number}")).await.expect(200);
        }
    }
    studio.faults().clear();
    let stored = read(&user, "c").await;
    assert_eq!((&stored["title"], stored["messages"].as_array().unwrap().len()), (&json!("19"), 15));
    assert_statistics_match(&user, "after lost answers").await;
}
