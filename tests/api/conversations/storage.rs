//! Conversations: what goes in comes out, in order and to the byte.
use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, assert_statistics_match, ids, path_of, send, studio};

/// Some moment of the past, in milliseconds.
const PAST: u64 = 1_795_300_000_000;

/// A message of a user for odd numbers, of an assistant for even ones.
fn message(number: usize, content: &str) -> Value {
    let role = if number % 2 == 1 { "user" } else { "assistant" };
    json!({"id": format!("m{number}"), "content": content, "role": role, "timestamp": PAST + number as u64})
}

fn messages(numbers: impl IntoIterator<Item = usize>) -> Vec<Value> {
    numbers.into_iter().map(|number| message(number, &format!("Message {number}"))).collect()
}

fn conversation(id: &str, messages: Vec<Value>) -> Value {
    let mut conversation =
        json!({"id": id, "title": "A talk", "createdAt": PAST, "updatedAt": PAST, "model": "gpt-4"});
    conversation["messages"] = Value::from(messages);
    conversation
}

/// All pages of the list, and how many there were.
async fn whole_list(client: &Client) -> (Vec<Value>, usize) {
    let (mut list, mut pages) = (Vec::new(), 0);
    let mut next = Some("/api/conversations".to_owned());
    while let Some(path) = next {
        let answer = client.get(&path).await.expect(200);
        assert!(answer.text.len() <= 4 * 1024 * 1024, "a page has at most 4 MB");
        list.extend(answer.body.as_array().unwrap().iter().cloned());
        pages += 1;
        let link = answer.header("link").strip_suffix(">; rel=\"next\"");
        next = link.map(|link| link.strip_prefix('<').unwrap().to_owned());
    }
    (list, pages)
}

#[tokio::test]
async fn a_conversation_comes_back_as_it_was_sent() {
    let studio = studio().await;
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
    // What is not a field of the contract is neither stored nor sent back.
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
async fn what_a_client_leaves_out_is_made_up() {
    let studio = studio().await;
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
    let studio = studio().await;
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
async fn what_is_deleted_is_gone_and_its_id_stays_taken() {
    let studio = studio().await;
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
async fn the_list_begins_with_what_changed_last() {
    let studio = studio().await;
    let user = studio.user("alice").await;
    assert_eq!(user.get("/api/conversations").await.expect(200).body, json!([]));
    for (id, updated) in [("b", 2), ("d", 4), ("a", 1), ("c", 3), ("far", 13_000_000_000_000)] {
        let mut body = conversation(id, messages([1]));
        body["updatedAt"] = json!(PAST + updated);
        user.post("/api/conversations", &body).await.expect(200);
    }
    assert_eq!(ids(&user.get("/api/conversations").await.body), ["far", "d", "c", "b", "a"]);
    let mut body = conversation("a", messages([1]));
    body["updatedAt"] = json!(PAST + 5);
    user.put("/api/conversations/a", &body).await.expect(200);
    assert_eq!(ids(&user.get("/api/conversations").await.body), ["far", "a", "d", "c", "b"]);
}

#[tokio::test]
async fn two_thousand_messages_are_stored_and_reordered_whole() {
    let studio = studio().await;
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
async fn a_message_of_64k_characters_is_stored_whole_and_a_longer_one_refused() {
    let studio = studio().await;
    let user = studio.user("alice").await;
    let texts = ["x", "é", "你", "🎉", "\"", "\n"].map(|character| character.repeat(65_536));
    let long: Vec<Value> = texts.iter().enumerate().map(|(number, text)| message(number, text)).collect();
    user.post("/api/conversations", &conversation("c", long)).await.expect(200);
    let read = user.get("/api/conversations/c").await.expect(200).body;
    for (number, text) in texts.iter().enumerate() {
        assert!(read["messages"][number]["content"] == *text, "message {number}");
        let longer = conversation("longer", vec![message(1, &format!("{text}x"))]);
        let refused = user.post("/api/conversations", &longer).await.expect(422);
        assert_eq!(refused.body["errors"][0]["field"], "messages[0].content");
        assert!(refused.text.len() < 1000, "the text is not repeated");
    }
}

#[tokio::test]
async fn every_character_is_kept_to_the_byte() {
    let studio = studio().await;
    let user = studio.user("alice").await;
    let texts = [
        "\0",
        "a\0b\u{1}\u{1f}\u{7f}\u{85}",
        "\r\n\t\u{2028}\u{2029}",
        "\u{feff}\u{200b}\u{200d}\u{202e}abc\u{202c}",
        "e\u{301} é \u{212b} Å ﬁ",
        "👩‍👩‍👧‍👦🏳️‍🌈🇪🇺",
        "\u{ffff}\u{fffe}\u{fffd}\u{10ffff}\u{e000}",
        "\\ \" \\u0000 </script> ${x} {{y}} %00",
        " blanks around ",
        "",
        "\u{3000}",
        "नमस्ते עברית عربى ไทย",
    ];
    let sent: Vec<Value> = texts.iter().enumerate().map(|(number, text)| message(number, text)).collect();
    let mut body = conversation("c", sent);
    body["systemPrompt"] = json!(texts.concat());
    body["title"] = json!(" ﬁ e\u{301} \u{200f}👩‍👩‍👧 \\\" ");
    let created = user.post("/api/conversations", &body).await.expect(200).body;
    let read = user.get("/api/conversations/c").await.expect(200).body;
    body["userId"] = json!(user.id);
    assert_eq!(created, body);
    assert_eq!(read, body);
}

#[tokio::test]
async fn ids_with_odd_characters_are_found_in_the_path() {
    let studio = studio().await;
    let user = studio.user("alice").await;
    let long = "长".repeat(128);
    let odd = [
        "with blank",
        "日本語 🎉",
        "#",
        "+",
        "a+b",
        "%",
        "%41",
        "%2F",
        "100%",
        "a/b",
        "?x=1&y",
        "'\"",
        "\\",
        "{id}",
        "é",
        "e\u{301}",
        "CONVERSATION#1",
        "MESSAGE#00000000",
        "a#b",
        "0",
        "null",
        "Ⅷ",
        &long,
    ];
    for id in odd {
        let mut body =
            conversation(id, vec![json!({"id": id, "content": id, "role": "user", "timestamp": PAST})]);
        user.post("/api/conversations", &body).await.expect(200);
        assert_eq!(user.get(&path_of(id)).await.expect(200).body["id"], id);
        body["title"] = json!("New");
        assert_eq!(user.put(&path_of(id), &body).await.expect(200).body["messages"][0]["id"], id);
    }
    let list = user.get("/api/conversations").await.expect(200).body;
    assert_eq!(ids(&list).into_iter().collect::<HashSet<_>>(), odd.map(str::to_owned).into_iter().collect());
    for (gone, id) in odd.iter().enumerate() {
        user.delete(&path_of(id)).await.expect(200);
        assert_eq!(user.get("/api/stats").await.body["total_conversations"], odd.len() - gone - 1, "{id}");
    }
}

#[tokio::test]
async fn a_list_too_large_for_one_answer_goes_on_behind_a_link() {
    let studio = studio().await;
    let user = studio.user("alice").await;
    // Quotes count twice when the answer is wrapped for the gateway, so fewer of the second kind fit.
    let large = [("plain", "x".repeat(60_000), 8, PAST), ("quoted", "\"".repeat(60_000), 4, PAST + 10)];
    for (name, text, count, updated) in large {
        for number in 0..count {
            let parts = (1..=7).map(|part| message(part, &text)).collect();
            let mut body = conversation(&format!("{name}{number}"), parts);
            body["updatedAt"] = json!(updated + number % 3);
            user.post("/api/conversations", &body).await.expect(200);
        }
    }
    let (list, pages) = whole_list(&user).await;
    assert!(pages >= 3, "{pages} pages");
    let list = Value::from(list);
    let seen = ids(&list);
    assert_eq!(
        (seen.len(), seen.iter().collect::<HashSet<_>>().len()),
        (12, 12),
        "nothing is lost or doubled"
    );
    let times: Vec<u64> = list.as_array().unwrap().iter().map(|c| c["updatedAt"].as_u64().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    assert!(list.as_array().unwrap().iter().all(|c| c["messages"].as_array().unwrap().len() == 7));
    for cursor in ["", "x", "MQ", "%00", "MDAxNzk1MzAwMDAwMDAwI2NvbnZfMQ=="] {
        let answer = user.get(&format!("/api/conversations?cursor={cursor}")).await.expect(422);
        assert_eq!(answer.body["errors"][0]["field"], "cursor");
    }
}

#[tokio::test]
async fn of_two_replacements_at_once_one_stands_whole() {
    let studio = studio().await;
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
async fn of_many_creations_at_once_with_one_id_one_wins() {
    let studio = studio().await;
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
async fn the_body_may_come_with_a_charset() {
    let studio = studio().await;
    let user = studio.user("alice").await;
    for content_type in ["application/json; charset=utf-8", "Application/JSON"] {
        let request = user.request(Method::POST, "/api/conversations").header("content-type", content_type);
        send(request.body(r#"{"title":"T"}"#)).await.expect(200);
    }
}
