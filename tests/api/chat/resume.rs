//! Resuming replies: connections that were away or missed chunks see the whole reply.

use std::time::Duration;

use futures_util::future::join_all;
use local::{ConnectionFault, When};
use serde_json::{Value, json};

use crate::support::provider::{Act, Ending, Protocol, Provider, studio_of};
use crate::support::{Connection, Shown, User, eventually, eventually_each, slow_studio, studio_with};

async fn ask(connection: &mut Connection, frame: &Value) -> Value {
    connection.send(frame).await;
    connection.next("chat_accepted").await
}

fn resume(accepted: &Value) -> Value {
    json!({"type": "resume", "conversationId": accepted["conversationId"], "messageId": accepted["messageId"]})
}

async fn stored_text(user: &User, accepted: &Value) -> String {
    let id = accepted["conversationId"].as_str().unwrap();
    let conversation = user.get(&format!("/api/conversations/{id}")).await.expect(200).body;
    let messages = conversation["messages"].as_array().unwrap();
    let reply = messages.iter().find(|message| message["id"] == accepted["messageId"]).unwrap();
    reply["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_resumed_reply_begins_with_a_snapshot_and_continues() {
    let studio = slow_studio(10).await;
    let user = studio.user("alice").await;
    for conversation in [json!("c"), Value::Null] {
        let mut connection = user.connect().await;
        let chat = json!({"type": "chat", "conversationId": conversation, "content": "/tokens 300"});
        let accepted = ask(&mut connection, &chat).await;
        connection.next("chat_chunk").await;
        connection.close().await;
        let mut connection = user.connect().await;
        connection.send(&resume(&accepted)).await;
        let snapshot = connection.next("chat_snapshot").await;
        let mut shown = Shown::default();
        assert!(shown.take(&snapshot, &accepted["messageId"]));
        assert!(shown.text.starts_with("1 2 3 "), "{snapshot}");
        while shown.end.is_none() {
            let frame = connection.next_any().await;
            let is_chunk = frame["type"] == "chat_chunk";
            assert!(!is_chunk || frame["seq"] == shown.next_seq, "{frame}");
            shown.take(&frame, &accepted["messageId"]);
        }
        assert!(shown.text.ends_with("299 300 "));
        // Resume again: the answer comes from the store.
        connection.send(&resume(&accepted)).await;
        let again = connection.next("chat_complete").await;
        let end = shown.end.unwrap();
        for name in ["messageId", "seq", "content", "tokens", "model", "status"] {
            assert_eq!(again[name], end[name], "{name}");
        }
    }
}

/// An answer of `count` pieces of 2,300 bytes, one every 20 ms: its text and the act that sends it.
fn long_answer(count: usize, ending: Ending) -> (String, Act) {
    let protocol = Protocol::OpenAi;
    let pieces: Vec<String> = (0..count).map(|number| format!("{number:05} é\"\n").repeat(230)).collect();
    let mut parts = vec![protocol.begin(7)];
    parts.extend(pieces.iter().map(|piece| protocol.text(piece)));
    if matches!(ending, Ending::Proper) {
        parts.extend([protocol.finish("stop", 7, 9), protocol.done()]);
    }
    let parts = parts.into_iter().map(String::into_bytes).collect();
    (pieces.concat(), Act::Stream(parts, Duration::from_millis(20), ending))
}

#[tokio::test]
async fn a_reply_longer_than_a_frame_arrives_in_parts_and_is_stored_whole() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o")]).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    for (conversation, count) in [(json!("long"), 60), (json!("longest"), 130), (Value::Null, 60)] {
        let (text, act) = long_answer(count, Ending::Proper);
        let text: String = text
            .chars()
            .scan(0, |size, c| {
                *size += c.len_utf8();
                (*size <= 262_144).then_some(c)
            })
            .collect();
        provider.script([act]);
        let chat = json!({"type": "chat", "conversationId": conversation, "content": "a long one"});
        let accepted = ask(&mut connection, &chat).await;
        let mut shown = Shown::default();
        shown.watch(&mut connection, &accepted["messageId"]).await;
        assert!(shown.text == text, "{} of {} bytes", shown.text.len(), text.len());
        let end = shown.end.unwrap();
        assert!(end["parts"].as_u64().unwrap() > 3 && end.to_string().len() < 25_000, "{}", end["parts"]);
        if conversation.is_string() {
            assert!(stored_text(&user, &accepted).await == text);
        }
        let mut again = Shown::default();
        connection.send(&resume(&accepted)).await;
        again.watch(&mut connection, &accepted["messageId"]).await;
        assert!(again.text == text);
    }
}

#[tokio::test]
async fn a_long_reply_whose_worker_dies_keeps_its_parts_and_all_connections_are_told() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o")]).await;
    let user = studio.user("alice").await;
    let (mut connection, mut other) = (user.connect().await, user.connect().await);
    for conversation in [json!("c"), Value::Null] {
        let (text, act) = long_answer(100, Ending::Never);
        provider.script([act]);
        let chat = json!({"type": "chat", "conversationId": conversation, "content": "a long one"});
        let accepted = ask(&mut connection, &chat).await;
        let mut shown = Shown::default();
        while shown.text.len() < 150_000 {
            let frame = connection.next_any().await;
            assert!(shown.take(&frame, &accepted["messageId"]), "{frame}");
        }
        studio.kill_all("replies");
        // Without a resume, the failure destination tells both connections.
        shown.watch(&mut connection, &accepted["messageId"]).await;
        let end = shown.end.clone().unwrap();
        assert_eq!((&end["type"], &end["status"]), (&json!("chat_error"), &json!("interrupted")), "{end}");
        assert!(shown.text.len() > 50_000 && text.starts_with(&shown.text), "{}", shown.text.len());
        let mut elsewhere = Shown::default();
        elsewhere.watch(&mut other, &accepted["messageId"]).await;
        assert!(elsewhere.text == shown.text);
        if conversation.is_string() {
            assert!(stored_text(&user, &accepted).await == shown.text);
        }
    }
}

#[tokio::test]
async fn a_connection_that_missed_chunks_gets_a_snapshot_and_the_end() {
    let studio = slow_studio(10).await;
    let user = studio.user("alice").await;
    let (mut connection, mut other) = (user.connect().await, user.connect().await);
    let accepted =
        ask(&mut connection, &json!({"type": "chat", "conversationId": "c", "content": "/tokens 400"})).await;
    connection.next("chat_chunk").await;
    // Six failures use up all attempts of one push to each connection.
    studio.faults().connections(ConnectionFault::LimitExceeded, None, When::Times(6));
    let mut texts = Vec::new();
    for connection in [&mut connection, &mut other] {
        let mut shown = Shown::default();
        while shown.end.is_none() {
            let frame = connection.next_any().await;
            shown.take(&frame, &accepted["messageId"]);
        }
        texts.push(shown.text);
    }
    assert_eq!(texts[0], stored_text(&user, &accepted).await);
    assert_eq!(texts[0], texts[1]);
    assert!(studio.faults().struck() >= 6);
}

#[tokio::test]
async fn deleting_a_conversation_ends_the_provider_request_of_its_running_reply() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o")]).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let (_, act) = long_answer(3, Ending::Never);
    provider.script([act]);
    let accepted =
        ask(&mut connection, &json!({"type": "chat", "conversationId": "c", "content": "?"})).await;
    connection.next("chat_chunk").await;
    user.delete("/api/conversations/c").await.expect(200);
    eventually("the request is ended", async || (provider.left() == 1).then_some(())).await;
    let told = connection.next("chat_error").await;
    assert_eq!((&told["code"], &told["messageId"]), (&json!("conversation_deleted"), &accepted["messageId"]));
    assert_eq!(told["retryable"], false);
    user.get("/api/conversations/c").await.expect(404);
    assert_eq!(user.get("/api/conversations").await.expect(200).body, json!([]));
    let basic = user.get("/api/stats").await.expect(200).body;
    assert_eq!((&basic["total_messages"], &basic["total_conversations"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_resume_ends_a_reply_whose_worker_died_unnoticed() {
    let studio = slow_studio(10).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let accepted = ask(&mut connection, &json!({"type": "chat", "content": "/tokens 5000"})).await;
    while connection.next("chat_chunk").await["seq"] != 12 {}
    // The failure destination does not run either, so only a resume notices.
    studio.faults().invocations(local::InvocationFault::Lost, Some("StrandedFunction"), When::Always);
    studio.kill_all("replies");
    let connection = tokio::sync::Mutex::new(connection);
    let end = eventually_each(Duration::from_millis(1500), "the reply is ended", async || {
        let mut connection = connection.lock().await;
        connection.send(&resume(&accepted)).await;
        connection.send(&json!({"type": "ping"})).await;
        connection.next("pong").await;
        let told = connection.unasked().iter().any(|frame| frame["type"] == "chat_error");
        if told { Some(connection.next("chat_error").await) } else { None }
    })
    .await;
    assert_eq!((&end["status"], &end["messageId"]), (&json!("interrupted"), &accepted["messageId"]));
    assert!(end["content"].as_str().unwrap().starts_with("1 2 3 4 5 "), "{end}");
}

/// Reconnects `times` times at random moments of a reply: the accepted frame, the shown reply, and how often it
/// reconnected.
async fn restless(user: &User, conversation: &str, times: u64) -> (Value, Shown, u64) {
    let mut connection = user.connect().await;
    let chat = json!({"type": "chat", "conversationId": conversation, "content": format!("/tokens {}", 30 * times),
        "max_tokens": 100_000});
    let accepted = ask(&mut connection, &chat).await;
    let mut shown = Shown::default();
    let mut random =
        conversation.bytes().fold(1_u64, |seed, byte| seed.wrapping_mul(257).wrapping_add(byte.into()));
    for left in 0..times {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..(random >> 60) % 4 {
            let frame = connection.next_any().await;
            shown.take(&frame, &accepted["messageId"]);
            if shown.end.is_some() {
                return (accepted, shown, left);
            }
        }
        // Half of the connections vanish, half close properly.
        if random >> 63 == 0 {
            connection.close().await;
        }
        connection = user.connect().await;
        connection.send(&resume(&accepted)).await;
    }
    while shown.end.is_none() {
        let frame = connection.next_any().await;
        if !shown.take(&frame, &accepted["messageId"]) {
            connection.send(&resume(&accepted)).await;
        }
    }
    (accepted, shown, times)
}

/// Lets `clients` clients reconnect `times` times each during replies: how often they did, and how many replies
/// differ from the stored text in the end.
pub(crate) async fn disconnects(clients: u64, times: u64) -> (u64, usize) {
    let more = |options: local::Options| {
        options.variable("OFFLINE_TOKEN_DELAY_MS", "10").variable("RATE_LIMIT", "0")
    };
    let studio = studio_with(more).await;
    let users = join_all((0..clients).map(|number| {
        let studio = &studio;
        async move { studio.user(&format!("client{number}")).await }
    }))
    .await;
    let replies = users.iter().map(|user| async move {
        let (mut left, mut wrong) = (0, 0);
        // A reply can end before its client has reconnected often enough.
        for number in 0.. {
            let conversation = format!("{}-{number}-{}", user.username, user.username);
            let (accepted, shown, so_often) = restless(user, &conversation, times - left).await;
            let stored = stored_text(user, &accepted).await;
            let is_whole = shown.end.unwrap()["status"] == "complete" && stored.len() > 50;
            wrong += usize::from(!is_whole || shown.text != stored);
            left += so_often;
            if left >= times {
                break;
            }
        }
        (left, wrong)
    });
    let seen = join_all(replies).await;
    (seen.iter().map(|(left, _)| left).sum(), seen.iter().map(|(_, wrong)| wrong).sum())
}

#[tokio::test]
async fn a_client_that_reconnects_again_and_again_shows_the_stored_text() {
    let (disconnects, wrong) = disconnects(4, 25).await;
    assert_eq!(disconnects, 100);
    assert_eq!(wrong, 0);
}
