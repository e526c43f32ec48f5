//! Functions die, and are invoked twice or not at all.

use std::time::Duration;

use local::{DynamoDbFault, InvocationFault, Target, When};
use serde_json::{Value, json};

use crate::support::{
    Connection, TestStudio, chat_frame, counted, eventually, eventually_each, own_studio, slow_studio,
};

/// The logical id of the worker function.
const REPLIES: &str = "RepliesFunction";

#[tokio::test]
async fn a_worker_that_is_invoked_twice_makes_one_reply() {
    let studio = slow_studio(10).await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    studio.faults().invocations(InvocationFault::Duplicate, Some(REPLIES), When::Always);
    for number in 1..=3 {
        let (text, _) = connection.chat(&chat_frame("c", &format!("m{number}"), "/tokens 20")).await;
        assert_eq!(text.split_whitespace().count(), 20, "{text}");
        connection.chat(&json!({"type": "chat", "content": "/tokens 20"})).await;
    }
    connection.is_quiet().await;
    assert_eq!(counted(&alice).await, [1, 6, 60]);
}

#[tokio::test]
async fn a_reply_whose_worker_was_not_invoked_stays_pending_and_no_other_begins() {
    let studio = own_studio().await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    studio.faults().invocations(InvocationFault::Lost, Some(REPLIES), When::Times(1));
    connection.send(&chat_frame("c", "m1", "lost")).await;
    let accepted = connection.next_any().await;
    assert_eq!(accepted["type"], "chat_accepted", "{accepted}");
    let stored = alice.get("/api/conversations/c").await.expect(200).body;
    let reply = &stored["messages"][1];
    assert_eq!((&reply["id"], &reply["status"]), (&accepted["messageId"], &json!("pending")), "{stored}");
    assert_eq!(reply["content"], "");
    connection.send(&chat_frame("c", "m2", "next")).await;
    let refused = connection.next_any().await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("chat_error"), &json!("reply_running")));
    // Other conversations work, and this one can be deleted.
    connection.chat(&chat_frame("d", "m1", "elsewhere")).await;
    alice.delete("/api/conversations/c").await.expect(200);
    assert_eq!(counted(&alice).await[..2], [1, 2]);
}

/// Sends a turn again and again until it is accepted.
async fn until_accepted(connection: &mut Connection, frame: &Value) {
    let connection = tokio::sync::Mutex::new(connection);
    eventually_each(Duration::from_millis(500), "the turn is accepted", async || {
        let mut connection = connection.lock().await;
        connection.send(frame).await;
        loop {
            let answer = connection.next_any().await;
            match answer["type"].as_str() {
                Some("chat_accepted") => return Some(()),
                Some("chat_error") => break assert_eq!(answer["code"], "reply_running", "{answer}"),
                _ => {}
            }
        }
        None
    })
    .await;
}

#[tokio::test]
async fn a_reply_whose_worker_dies_keeps_its_text_and_the_next_turn_begins() {
    let studio = slow_studio(10).await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    connection.send(&chat_frame("c", "m1", "/tokens 5000")).await;
    connection.next("chat_accepted").await;
    // Chunk 12 comes 1.8 s after the first, and the first checkpoint after one.
    while connection.next("chat_chunk").await["seq"] != 12 {}
    assert!(studio.kill_all("replies") > 0);
    until_accepted(&mut connection, &chat_frame("c", "m2", "/tokens 3")).await;
    let complete = connection.next("chat_complete").await;
    assert_eq!(complete["content"], "1 2 3 ");
    let stored = alice.get("/api/conversations/c").await.expect(200).body;
    let messages = stored["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 4, "{stored}");
    assert_eq!(messages[1]["status"], "interrupted", "{stored}");
    assert!(messages[1]["content"].as_str().unwrap().starts_with("1 2 3 4 5 6 7 8 9 10 11 "), "{stored}");
    assert_eq!(messages[3]["status"], "complete", "{stored}");
    // Sending the first turn again returns its end.
    connection.send(&chat_frame("c", "m1", "/tokens 5000")).await;
    assert_eq!(connection.next("chat_error").await["status"], "interrupted");
    assert_eq!(counted(&alice).await[..2], [1, 4]);
}

/// Delays the next read by a minute, so that the function can be killed meanwhile.
pub(super) async fn delay_a_read(studio: &TestStudio) -> impl Future<Output = ()> {
    // The function that mails a new user reads too, so this waits until it is done.
    eventually("the user was mailed", async || (!studio.mailbox().is_empty()).then_some(())).await;
    let before = studio.faults().struck();
    let delay = DynamoDbFault::Delay(Duration::from_secs(60));
    studio.faults().dynamodb(delay, Target::operation("GetItem"), When::Times(1));
    async move {
        eventually("the read begins", async || (studio.faults().struck() > before).then_some(())).await;
    }
}

#[tokio::test]
async fn a_request_whose_function_dies_is_a_500_of_the_gateway_and_the_next_one_works() {
    let studio = own_studio().await;
    let alice = studio.user("alice").await;
    let chat = json!({"messages": [{"id": "1", "role": "user", "content": "hello", "timestamp": 1}]});
    for function in ["conversations", "chat"] {
        let ask = async || match function {
            "chat" => alice.post("/api/chat", &chat).await,
            _ => alice.get("/api/conversations").await,
        };
        let begun = delay_a_read(&studio).await;
        let (died, ()) = tokio::join!(ask(), async {
            begun.await;
            assert!(studio.kill_all(function) > 0);
        });
        assert_eq!(died.expect(500).body, json!({"message": "Internal Server Error"}));
        ask().await.expect(200);
    }
}

#[tokio::test]
async fn a_frame_whose_function_dies_is_a_gateway_error_and_the_connection_stays_open() {
    let studio = own_studio().await;
    let mut connection = studio.user("alice").await.connect().await;
    let begun = delay_a_read(&studio).await;
    connection.send(&json!({"type": "ping"})).await;
    begun.await;
    assert!(studio.kill_all("sockets") > 0);
    let trouble = connection.next_any().await;
    assert_eq!(trouble["message"], "Internal server error", "{trouble}");
    connection.is_quiet().await;
    let (text, _) = connection.chat(&json!({"type": "chat", "content": "/tokens 3"})).await;
    assert_eq!(text, "1 2 3 ");
}
