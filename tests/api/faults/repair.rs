//! Readers and users repair what a dead function left unfinished.

use std::time::Duration;

use futures_util::future::join_all;
use local::{DynamoDbFault, InvocationFault, Target, When};
use serde_json::{Value, json};

use crate::support::{Connection, User, eventually_each, own_studio, studio_with};

#[tokio::test]
async fn reading_a_conversation_ends_a_reply_whose_worker_died() {
    let studio = studio_with(|options| options.variable("OFFLINE_TOKEN_DELAY_MS", "20")).await;
    let ada = studio.user("ada").await;
    let mut connection = ada.connect().await;
    let chat = json!({"type": "chat", "id": "m1", "conversationId": "c", "content": "/tokens 5000"});
    connection.send(&chat).await;
    connection.next("chat_chunk").await;
    assert!(studio.kill_all("replies") > 0);
    let read = async || ada.get("/api/conversations/c").await.expect(200).body;
    assert_eq!(read().await["messages"][1]["status"], "pending", "the lease may still be somebody's");
    let ended = eventually_each(Duration::from_millis(500), "the reply is ended", async || {
        let conversation = read().await;
        (conversation["messages"][1]["status"] == "interrupted").then_some(conversation)
    })
    .await;
    // After the end of the reply the conversation can be replaced and reordered.
    let mut changed = ended.clone();
    changed["messages"].as_array_mut().unwrap().reverse();
    let stored = ada.put("/api/conversations/c", &changed).await.expect(200).body;
    let ids = |conversation: &Value| -> Vec<Value> {
        conversation["messages"].as_array().unwrap().iter().map(|message| message["id"].clone()).collect()
    };
    assert_eq!(ids(&stored), ids(&changed));
}

#[tokio::test]
async fn a_turn_whose_worker_was_not_invoked_is_handed_over_when_it_is_sent_again() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let mut connection = ada.connect().await;
    studio.faults().invocations(InvocationFault::Lost, None, When::Times(1));
    let chat = json!({"type": "chat", "id": "m1", "conversationId": "c", "content": "hello"});
    connection.send(&chat).await;
    let lost = connection.next("chat_accepted").await;
    let (_, complete) = connection.chat(&chat).await;
    assert_eq!(complete["messageId"], lost["messageId"]);
    let stored = ada.get("/api/conversations/c").await.expect(200).body;
    assert_eq!(stored["messages"].as_array().unwrap().len(), 2, "{stored}");
}

/// Starts a reply and waits for its end: the status in the frame and the stored status.
async fn told_and_stored(user: &User, mut connection: Connection) -> (Value, Value) {
    let chat = json!({"type": "chat", "id": "m1", "conversationId": "c", "content": "/tokens 150"});
    connection.send(&chat).await;
    let told = loop {
        let frame = connection.next_any().await;
        if frame["type"] == "chat_complete" || frame["type"] == "chat_error" {
            break frame["status"].clone();
        }
    };
    let stored = user.get("/api/conversations/c").await.expect(200).body["messages"][1]["status"].clone();
    let usage = user.get("/api/usage").await.expect(200).body;
    assert_eq!((&usage["today"]["running"], &usage["today"]["reserved_tokens"]), (&json!(0), &json!(0)));
    (told, stored)
}

#[tokio::test]
async fn a_connection_gets_auth_success_although_the_worker_that_sends_it_died() {
    let studio = studio_with(|options| options).await;
    let ada = studio.user("ada").await;
    // The worker that sends `auth_success` is killed while it reads the connection.
    let slow = Target::operation("GetItem").table("ConnectionsTable");
    studio.faults().dynamodb(DynamoDbFault::Delay(Duration::from_secs(2)), slow, When::Times(1));
    let reads = eventually_each(Duration::from_millis(5), "a worker greets", async || {
        (studio.faults().struck() == 1).then_some(())
    });
    let connection = ada.connect();
    tokio::pin!(connection);
    tokio::select! {
        _ = &mut connection => panic!("greeted before the connection was read"),
        () = reads => assert!(studio.instances("replies").into_iter().any(|worker| studio.kill(worker))),
    }
    connection.await;
}

#[tokio::test]
async fn a_reply_ends_wherever_its_worker_is_killed() {
    let studio = studio_with(|options| options.variable("OFFLINE_TOKEN_DELAY_MS", "20")).await;
    let enter = |number: usize| {
        let studio = &studio;
        async move {
            let user = studio.user(&format!("user{number}")).await;
            let connection = user.connect().await;
            (user, connection)
        }
    };
    let entered = join_all((0..20).map(enter)).await;
    let mut killed = Vec::new();
    let ends = {
        let replies = join_all(
            entered
                .into_iter()
                .map(|(user, connection)| async move { told_and_stored(&user, connection).await }),
        );
        tokio::pin!(replies);
        // Kills one worker after another, each at a later point of its reply.
        loop {
            tokio::select! {
                ends = &mut replies => break ends,
                () = tokio::time::sleep(Duration::from_millis(100)), if killed.len() < 20 => {
                    let alive = studio.instances("replies").into_iter().find(|pid| !killed.contains(pid));
                    killed.extend(alive.filter(|pid| studio.kill(*pid)));
                }
            }
        }
    };
    assert_eq!(killed.len(), 20);
    let broken_off = ends.iter().filter(|(told, _)| *told != "complete").count();
    println!("20 workers killed; replies broken off: {broken_off}; {ends:?}");
    assert!(broken_off >= 10, "{ends:?}");
    for (told, stored) in &ends {
        assert!(["complete", "interrupted", "failed"].iter().any(|end| stored == end), "{stored}");
        assert_eq!(told, stored);
    }
}
