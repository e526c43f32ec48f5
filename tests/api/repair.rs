//! What a reader and a user find after something died halfway.

use local::{InvocationFault, When};
use serde_json::{Value, json};

use crate::actors::{eventually_each, studio, studio_with};

#[tokio::test]
async fn reading_a_conversation_ends_a_reply_whose_worker_died() {
    let studio = studio_with(|options| options.variable("OFFLINE_TOKEN_DELAY_MS", "20")).await;
    let ada = studio.user("ada").await;
    let mut window = ada.window().await;
    let chat = json!({"type": "chat", "id": "m1", "conversationId": "c", "content": "/tokens 5000"});
    window.send(&chat).await;
    window.next("chat_chunk").await;
    for worker in studio.instances("replies") {
        assert!(studio.kill(worker));
    }
    let read = async || ada.get("/api/conversations/c").await.expect(200).body;
    assert_eq!(read().await["messages"][1]["status"], "pending", "the lease may still be somebody's");
    let ended = eventually_each(std::time::Duration::from_millis(500), "the reply is ended", async || {
        let conversation = read().await;
        (conversation["messages"][1]["status"] == "interrupted").then_some(conversation)
    })
    .await;
    // With the reply ended, the whole conversation can be replaced, in another order too.
    let mut changed = ended.clone();
    changed["messages"].as_array_mut().unwrap().reverse();
    let stored = ada.put("/api/conversations/c", &changed).await.expect(200).body;
    let ids = |conversation: &Value| -> Vec<Value> {
        conversation["messages"].as_array().unwrap().iter().map(|message| message["id"].clone()).collect()
    };
    assert_eq!(ids(&stored), ids(&changed));
}

#[tokio::test]
async fn a_turn_that_was_not_handed_over_is_when_it_is_sent_again() {
    let studio = studio().await;
    let ada = studio.user("ada").await;
    let mut window = ada.window().await;
    studio.faults().invocations(InvocationFault::Lost, None, When::Times(1));
    let chat = json!({"type": "chat", "id": "m1", "conversationId": "c", "content": "hello"});
    window.send(&chat).await;
    let lost = window.next("chat_accepted").await;
    let (_, complete) = window.chat(&chat).await;
    assert_eq!(complete["messageId"], lost["messageId"]);
    let stored = ada.get("/api/conversations/c").await.expect(200).body;
    assert_eq!(stored["messages"].as_array().unwrap().len(), 2, "{stored}");
}
