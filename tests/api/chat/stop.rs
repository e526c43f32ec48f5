//! Stopping a reply ends the request to the model and keeps the text so far.

use std::time::{Duration, Instant};

use local::{InvocationFault, When};
use serde_json::{Value, json};

use crate::support::provider::{Act, Ending, Protocol, Provider, studio_of};
use crate::support::{Connection, User, eventually, own_studio, slow_studio};

fn say(conversation: &str, content: &str) -> Value {
    json!({"type": "chat", "conversationId": conversation, "content": content})
}

fn stop_path(accepted: &Value) -> String {
    let text = |name: &str| accepted[name].as_str().unwrap().to_owned();
    format!("/api/conversations/{}/messages/{}/stop", text("conversationId"), text("messageId"))
}

/// The text of the chunks and the last frame of a reply.
async fn rest(connection: &mut Connection) -> (String, Value) {
    let complete = connection.next("chat_complete").await;
    let mut text = String::new();
    while connection.unasked().iter().any(|frame| frame["type"] == "chat_chunk") {
        text.push_str(connection.next("chat_chunk").await["content"].as_str().unwrap());
    }
    (text, complete)
}

async fn stored(user: &User, conversation: &str) -> Value {
    user.get(&format!("/api/conversations/{conversation}")).await.expect(200).body["messages"][1].clone()
}

#[tokio::test]
async fn a_stop_ends_the_provider_request_and_keeps_the_text() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let protocol = Protocol::Anthropic;
    for (conversation, over_http) in [("frame", false), ("http", true)] {
        let parts = [protocol.begin(7), protocol.text("Once upon "), protocol.text("a time ")];
        let parts = parts.into_iter().map(String::into_bytes).collect();
        provider.script([Act::Stream(parts, Duration::from_millis(300), Ending::Never)]);
        let mut frame = say(conversation, "tell me a story");
        frame["model"] = json!(protocol.model());
        connection.send(&frame).await;
        let accepted = connection.next("chat_accepted").await;
        eventually("the whole beginning is there", async || {
            let reply = stored(&user, conversation).await;
            (reply["status"] == "pending" && provider.asked().len() == 1).then_some(())
        })
        .await;
        // Wait for both pieces.
        let mut chunks = String::new();
        while chunks != "Once upon a time " {
            chunks.push_str(connection.next("chat_chunk").await["content"].as_str().unwrap());
        }
        let (before, asked) = (provider.left(), Instant::now());
        if over_http {
            let answer = user.post(&stop_path(&accepted), &Value::Null).await.expect(200).body;
            assert_eq!(answer, json!({"id": accepted["messageId"], "status": "stopping"}));
        } else {
            let stop =
                json!({"type": "stop", "conversationId": conversation, "messageId": accepted["messageId"]});
            connection.send(&stop).await;
        }
        eventually("the request is ended", async || (provider.left() > before).then_some(())).await;
        assert!(asked.elapsed() < Duration::from_millis(1500), "{:?}", asked.elapsed());
        let complete = connection.next("chat_complete").await;
        assert_eq!(
            (&complete["status"], &complete["content"]),
            (&json!("stopped"), &json!("Once upon a time "))
        );
        let reply = stored(&user, conversation).await;
        assert_eq!((&reply["status"], &reply["content"]), (&json!("stopped"), &json!("Once upon a time ")));
        assert!(reply["tokens"].as_u64().unwrap() > 0, "{reply}");
        // A second stop changes nothing.
        let again = user.post(&stop_path(&accepted), &Value::Null).await.expect(200).body;
        assert_eq!(again["status"], "stopped");
    }
    let basic = user.get("/api/stats").await.expect(200).body;
    let sum: u64 = [stored(&user, "frame").await, stored(&user, "http").await]
        .iter()
        .map(|m| m["tokens"].as_u64().unwrap())
        .sum();
    assert_eq!(basic["total_tokens"], sum);
}

#[tokio::test]
async fn a_reply_without_a_conversation_can_be_stopped() {
    let studio = slow_studio(10).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    connection.send(&json!({"type": "chat", "content": "/tokens 5000"})).await;
    let accepted = connection.next("chat_accepted").await;
    connection.next("chat_chunk").await;
    connection.send(&json!({"type": "stop", "messageId": accepted["messageId"]})).await;
    let (text, complete) = rest(&mut connection).await;
    assert_eq!(complete["status"], "stopped");
    assert!(complete["content"].as_str().unwrap().ends_with(&text) && !text.is_empty());
}

#[tokio::test]
async fn a_reply_without_a_worker_is_stopped_at_once() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    studio.faults().invocations(InvocationFault::Lost, None, When::Times(1));
    connection.send(&say("c", "lost")).await;
    let accepted = connection.next("chat_accepted").await;
    let answer = user.post(&stop_path(&accepted), &Value::Null).await.expect(200).body;
    assert_eq!(answer["status"], "stopped");
    let complete = connection.next("chat_complete").await;
    assert_eq!((&complete["status"], &complete["content"]), (&json!("stopped"), &json!("")));
    // The conversation accepts the next turn.
    connection.chat(&say("c", "hello")).await;
}

#[tokio::test]
async fn stopping_or_resuming_a_missing_or_foreign_reply_is_refused() {
    let studio = slow_studio(10).await;
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    let (mut hers, mut his) = (alice.connect().await, bob.connect().await);
    hers.send(&say("c", "/tokens 100")).await;
    let accepted = hers.next("chat_accepted").await;
    hers.send(&json!({"type": "chat", "content": "/tokens 100"})).await;
    let loose = hers.next("chat_accepted").await;
    bob.post(&stop_path(&accepted), &Value::Null).await.expect(404);
    for kind in ["stop", "resume"] {
        for wanted in [
            json!({"conversationId": "c", "messageId": accepted["messageId"]}),
            json!({"messageId": accepted["messageId"]}),
            json!({"messageId": loose["messageId"]}),
            json!({"conversationId": "c", "messageId": "m0"}),
        ] {
            let mut frame = wanted.clone();
            frame["type"] = json!(kind);
            his.send(&frame).await;
            let refused = his.next_any().await;
            assert_eq!(
                (&refused["type"], &refused["code"]),
                (&json!("error"), &json!("not_found")),
                "{frame}"
            );
        }
    }
    let path = |message: &str| format!("/api/conversations/c/messages/{message}/stop");
    for message in ["absent", "msg_01JQ_1", accepted["id"].as_str().unwrap_or("none")] {
        alice.post(&path(message), &Value::Null).await.expect(404);
    }
    for _ in 0..2 {
        let complete = hers.next("chat_complete").await;
        assert_eq!((&complete["status"], &complete["tokens"]), (&json!("complete"), &json!(100)));
    }
    his.is_quiet().await;
    let ended = alice.post(&stop_path(&accepted), &Value::Null).await.expect(200).body;
    assert_eq!(ended["status"], "complete");
}
