//! Turns over WebSocket: streamed replies, and how they are stored.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Connection, User, chat_frame, read, shared_studio, slow_studio};

/// The number of conversations, messages and tokens, on which both statistics routes must agree.
async fn counted(user: &User) -> (u64, u64, u64) {
    let basic = user.get("/api/stats").await.expect(200).body;
    let detailed = user.get("/api/stats/detailed").await.expect(200).body;
    assert_eq!(detailed["basic"], basic);
    let sum = |name: &str| detailed[name].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    let number = |name: &str| basic[name].as_u64().unwrap();
    let (messages, tokens) = (number("total_messages"), number("total_tokens"));
    let by_role: u64 = sum("role_distribution");
    assert_eq!((by_role, sum("hourly_distribution")), (messages, messages), "{detailed}");
    assert_eq!(sum("token_trend_last_7_days"), tokens, "{detailed}");
    (number("total_conversations"), messages, tokens)
}

/// Starts a turn and returns the frame that accepts it.
async fn start(connection: &mut Connection, frame: &Value) -> Value {
    connection.send(frame).await;
    let accepted = connection.next_any().await;
    assert_eq!(accepted["type"], "chat_accepted", "{accepted}");
    accepted
}

#[tokio::test]
async fn a_turn_without_a_conversation_is_streamed_and_not_stored() {
    let studio = shared_studio().await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    // Old clients send one id for all turns. Without a conversation, ids mean nothing.
    for content in ["one two three", "four five six"] {
        let accepted =
            start(&mut connection, &json!({"type": "chat", "id": "msg1", "content": content})).await;
        assert_eq!(accepted["id"], "msg1");
        let (text, complete) = connection.reply().await;
        assert!(text.contains(content), "{text}");
        assert_eq!(complete["content"], text);
        assert_eq!(complete["messageId"], accepted["messageId"]);
        assert_eq!((&complete["status"], &complete["model"]), (&json!("complete"), &json!("gpt-3.5-turbo")));
        assert!(complete["tokens"].as_u64().unwrap() > 0 && complete["seq"].is_u64(), "{complete}");
        assert!(complete.get("conversationId").is_none(), "{complete}");
    }
    connection.is_quiet().await;
    assert_eq!(alice.get("/api/conversations").await.expect(200).body, json!([]));
    assert_eq!(counted(&alice).await, (0, 0, 0));
}

#[tokio::test]
async fn a_turn_in_a_new_conversation_creates_it() {
    let studio = shared_studio().await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    let first = "\n  What is the\tmeaning of life, the universe, and everything else there is?\nPlease.";
    let frame = json!({"type": "chat", "conversationId": "c/1 好", "id": "mine", "content": first,
        "model": "claude", "temperature": 0, "max_tokens": 131_072});
    let accepted = start(&mut connection, &frame).await;
    assert_eq!((&accepted["id"], &accepted["conversationId"]), (&json!("mine"), &json!("c/1 好")));
    let (text, complete) = connection.reply().await;
    assert_eq!((&complete["content"], &complete["conversationId"]), (&json!(text), &json!("c/1 好")));
    let stored = read(&alice, "c/1 好").await;
    let title = stored["title"].as_str().unwrap();
    assert!(title.starts_with("What is the") && title.len() <= 40, "{title:?}");
    assert_eq!((&stored["model"], &stored["userId"]), (&json!("claude"), &json!(alice.id)));
    let messages = stored["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2, "{stored}");
    let [asked, answered] = [&messages[0], &messages[1]];
    assert_eq!((&asked["id"], &asked["role"]), (&json!("mine"), &json!("user")));
    assert_eq!(asked["content"], first);
    assert_eq!((&answered["id"], &answered["role"]), (&accepted["messageId"], &json!("assistant")));
    assert_eq!((&answered["content"], &answered["status"]), (&json!(text), &json!("complete")));
    assert_eq!((&answered["tokens"], &answered["model"]), (&complete["tokens"], &json!("claude")));
    assert_eq!(alice.get("/api/conversations").await.expect(200).body, json!([stored]));
    assert_eq!(counted(&alice).await, (1, 2, complete["tokens"].as_u64().unwrap()));
}

#[tokio::test]
async fn turns_are_appended_and_use_the_model_of_the_conversation() {
    let studio = shared_studio().await;
    let alice = studio.user("alice").await;
    let before = alice.conversation("c", &["one", "two"]).await;
    let mut connection = alice.connect().await;
    for (number, content) in ["three", "five", "seven"].into_iter().enumerate() {
        let frame = json!({"type": "chat", "conversationId": "c", "content": content});
        let (text, complete) = connection.chat(&frame).await;
        assert_eq!(complete["model"], "gpt-4");
        let stored = read(&alice, "c").await;
        let messages = stored["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 4 + 2 * number, "{stored}");
        assert_eq!((&stored["title"], &stored["model"]), (&before["title"], &json!("gpt-4")));
        assert!(stored["updatedAt"].as_u64() > before["updatedAt"].as_u64(), "{stored}");
        assert_eq!(messages[messages.len() - 2]["content"], content);
        assert_eq!(messages[messages.len() - 1]["content"], text);
    }
    let frame = json!({"type": "chat", "conversationId": "c", "content": "/tokens 9", "model": "other", "max_tokens": 3});
    let (text, complete) = connection.chat(&frame).await;
    assert_eq!(
        (text.as_str(), &complete["tokens"], &complete["model"]),
        ("1 2 3 ", &json!(3), &json!("other"))
    );
    assert_eq!(counted(&alice).await.1, 10);
}

#[tokio::test]
async fn sending_a_turn_again_with_its_id_does_not_repeat_it() {
    let studio = slow_studio(5).await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    let frame = chat_frame("c", "m1", "/tokens 100");
    let accepted = start(&mut connection, &frame).await;
    connection.send(&frame).await;
    let (text, complete) = connection.reply().await;
    // The turn is also recognised after its end, and on another connection.
    let mut other = alice.connect().await;
    for connection in [&mut connection, &mut other] {
        assert_eq!(start(connection, &frame).await, accepted);
        let again = connection.next_any().await;
        assert_eq!(again["type"], "chat_complete", "{again}");
        for name in ["messageId", "conversationId", "content", "tokens", "model", "status"] {
            assert_eq!(again[name], complete[name]);
        }
        connection.is_quiet().await;
    }
    let stored = read(&alice, "c").await;
    assert_eq!(stored["messages"].as_array().unwrap().len(), 2, "{stored}");
    assert_eq!(stored["messages"][1]["content"], text);
    assert_eq!(counted(&alice).await, (1, 2, 100));
    // The id of a message without a reply is refused.
    alice.conversation("d", &["one"]).await;
    connection.send(&chat_frame("d", "m0", "one")).await;
    let refused = connection.next_any().await;
    assert!(refused["type"] == "chat_error" && refused["code"] == "invalid", "{refused}");
}

#[tokio::test]
async fn a_conversation_has_one_running_reply_at_a_time() {
    let studio = slow_studio(5).await;
    let alice = studio.user("alice").await;
    let (mut connection, mut other) = (alice.connect().await, alice.connect().await);
    start(&mut connection, &chat_frame("c", "m1", "/tokens 200")).await;
    other.send(&chat_frame("c", "m2", "meanwhile")).await;
    let refused = other.next("chat_error").await;
    assert_eq!(
        (&refused["code"], &refused["retryable"]),
        (&json!("reply_running"), &json!(true)),
        "{refused}"
    );
    assert_eq!(refused["id"], "m2");
    // Another conversation is not affected.
    other.send(&chat_frame("d", "m1", "/tokens 1")).await;
    assert_eq!(other.next("chat_accepted").await["conversationId"], "d");
    loop {
        let complete = connection.next("chat_complete").await;
        if complete["conversationId"] == "c" {
            break;
        }
    }
    other.send(&chat_frame("c", "m2", "afterwards")).await;
    assert_eq!(other.next("chat_accepted").await["id"], "m2");
    let complete = connection.next("chat_complete").await;
    assert!(complete["content"].as_str().unwrap().contains("afterwards"), "{complete}");
    assert_eq!(read(&alice, "c").await["messages"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn of_concurrent_turns_in_a_conversation_one_begins() {
    let studio = slow_studio(5).await;
    let alice = studio.user("alice").await;
    let mut connections = join_all((0..4).map(|_| alice.connect())).await;
    // With different ids one turn wins; with one id all are the same turn.
    for (conversation, ids, winners) in [("c", ["m0", "m1", "m2", "m3"], 1), ("d", ["m"; 4], 4)] {
        for (connection, id) in connections.iter_mut().zip(ids) {
            connection.send(&chat_frame(conversation, id, "/tokens 200")).await;
        }
        let mut accepted = Vec::new();
        for connection in &mut connections {
            let answer = loop {
                let frame = connection.next_any().await;
                if frame["type"] == "chat_accepted" || frame["type"] == "chat_error" {
                    break frame;
                }
            };
            if answer["type"] == "chat_accepted" {
                accepted.push(answer["messageId"].clone());
            } else {
                assert_eq!(answer["code"], "reply_running", "{answer}");
            }
        }
        assert_eq!(accepted.len(), winners);
        assert!(accepted.iter().all(|id| *id == accepted[0]), "{accepted:?}");
        for connection in &mut connections {
            connection.next("chat_complete").await;
        }
        assert_eq!(read(&alice, conversation).await["messages"].as_array().unwrap().len(), 2);
    }
    assert_eq!(counted(&alice).await, (2, 4, 400));
}

#[tokio::test]
async fn the_first_chunk_is_sent_at_once() {
    let studio = slow_studio(5).await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    start(&mut connection, &chat_frame("c", "m", "/tokens 200")).await;
    let first = connection.next_any().await;
    assert_eq!((&first["type"], &first["seq"]), (&json!("chat_chunk"), &json!(0)), "{first}");
    let whole = connection.next("chat_complete").await;
    let length = |frame: &Value| frame["content"].as_str().unwrap().len();
    assert!(length(&first) * 4 < length(&whole), "{first}");
    assert!(connection.unasked().len() >= 3, "{:?}", connection.unasked());
}

#[tokio::test]
async fn a_deleted_conversation_does_not_come_back() {
    let studio = shared_studio().await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    alice.conversation("posted", &["one"]).await;
    connection.chat(&chat_frame("said", "m1", "one")).await;
    for id in ["posted", "said"] {
        alice.delete(&format!("/api/conversations/{id}")).await.expect(200);
        for message in ["m1", "m2"] {
            connection.send(&chat_frame(id, message, "two")).await;
            let refused = connection.next_any().await;
            assert_eq!(
                (&refused["type"], &refused["code"]),
                (&json!("chat_error"), &json!("conversation_deleted"))
            );
            assert_eq!(refused["retryable"], false);
        }
        alice.get(&format!("/api/conversations/{id}")).await.expect(404);
    }
    connection.is_quiet().await;
    assert_eq!(alice.get("/api/conversations").await.expect(200).body, json!([]));
    assert_eq!(counted(&alice).await, (0, 0, 0));
    // Another user may use the id.
    let bob = studio.user("bob").await;
    bob.connect().await.chat(&chat_frame("said", "m1", "one")).await;
    assert_eq!(counted(&bob).await.0, 1);
}

#[tokio::test]
async fn a_conversation_deleted_during_its_reply_stays_deleted() {
    let studio = slow_studio(5).await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    start(&mut connection, &chat_frame("c", "m", "/tokens 200")).await;
    connection.next("chat_chunk").await;
    alice.delete("/api/conversations/c").await.expect(200);
    // When this longer reply is complete, the deleted one would have been complete for a second.
    connection.send(&chat_frame("d", "m", "/tokens 300")).await;
    let complete = connection.next("chat_complete").await;
    assert_eq!(complete["conversationId"], "d", "nothing completes what is deleted");
    connection.send(&chat_frame("c", "m", "again")).await;
    assert_eq!(connection.next("chat_error").await["code"], "conversation_deleted");
    alice.get("/api/conversations/c").await.expect(404);
    assert_eq!(alice.get("/api/conversations").await.expect(200).body.as_array().unwrap().len(), 1);
    assert_eq!(counted(&alice).await, (1, 2, 300));
    let health = studio.visitor().get("/health").await.expect(200);
    assert_eq!(health.body["total_conversations"], 1, "{}", health.text);
}

#[tokio::test]
async fn replacing_a_conversation_does_not_change_its_running_reply() {
    let studio = slow_studio(5).await;
    let alice = studio.user("alice").await;
    let mut conversation = alice.conversation("c", &["one", "two"]).await;
    let mut connection = alice.connect().await;
    let accepted = start(&mut connection, &chat_frame("c", "m", "/tokens 300")).await;
    let chunk = connection.next("chat_chunk").await;
    // A client saves what it shows: the unfinished reply and a new title. Then it removes all messages.
    let half = json!({"id": accepted["messageId"], "role": "assistant", "content": chunk["content"], "timestamp": 1});
    conversation["title"] = json!("Renamed");
    conversation["messages"].as_array_mut().unwrap().push(half);
    let replaced = alice.put("/api/conversations/c", &conversation).await.expect(200).body;
    let messages = replaced["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3, "the new message is not in what the client sent: {replaced}");
    assert_eq!(messages[2]["id"], accepted["messageId"]);
    conversation["messages"] = json!([]);
    alice.put("/api/conversations/c", &conversation).await.expect(200);
    let complete = connection.next("chat_complete").await;
    assert!(complete["content"].as_str().unwrap().ends_with("299 300 "), "{complete}");
    let stored = read(&alice, "c").await;
    assert_eq!(stored["title"], "Renamed");
    assert_eq!(stored["messages"].as_array().unwrap().len(), 1, "{stored}");
    assert_eq!(stored["messages"][0]["content"], complete["content"]);
    assert_eq!(stored["messages"][0]["status"], "complete");
    assert_eq!(counted(&alice).await, (1, 1, 300));
    connection.send(&chat_frame("c", "m9", "again")).await;
    connection.next("chat_complete").await;
    assert_eq!(read(&alice, "c").await["messages"].as_array().unwrap().len(), 3);
}
