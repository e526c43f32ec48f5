//! DynamoDB loses answers, conflicts and throttles, and every operation still happens once.

use std::time::Duration;

use local::{DynamoDbFault, Target, When};
use serde_json::{Value, json};

use crate::support::{
    Connection, TestStudio, User, chat_frame, counted, eventually, ids, own_studio, slow_studio,
};

fn registration(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "password": "a long enough passphrase"})
}

/// Lets every second call of each writing operation fail, so that each retry succeeds.
fn every_other_write(studio: &TestStudio, fault: DynamoDbFault) {
    for operation in ["TransactWriteItems", "UpdateItem", "PutItem"] {
        for _ in 0..100 {
            studio.faults().dynamodb(fault, Target::operation(operation), When::Times(1));
            let fine = DynamoDbFault::Delay(Duration::ZERO);
            studio.faults().dynamodb(fine, Target::operation(operation), When::Times(1));
        }
    }
}

/// Performs every kind of write, and checks that each happened once.
async fn everything_happens_once(studio: &TestStudio) {
    let alice = studio.user("alice").await;
    let taken = studio.visitor().post("/api/auth/register", &registration("alice")).await.expect(400);
    assert_eq!(taken.body["code"], "username_taken");
    let mut connection = alice.connect().await;
    let mut late = studio.connect().await;
    late.send(&json!({"type": "auth", "token": alice.token})).await;
    late.next("auth_success").await;
    change_conversations(&alice).await;
    take_turns(&mut connection).await;
    everything_is_there_once(&alice).await;
    late.close().await;
    connection.next("user_disconnected").await;
    let health = studio.visitor().get("/health").await.expect(200).body;
    let totals = ["total_users", "total_conversations", "active_connections"].map(|name| &health[name]);
    assert_eq!(totals, [1, 2, 1], "{health}");
}

async fn everything_is_there_once(user: &User) {
    let list = user.get("/api/conversations").await.expect(200).body;
    assert_eq!(ids(&list), ["posted", "said"]);
    assert_eq!(list[0]["messages"].as_array().unwrap().len(), 4, "{list}");
    assert_eq!(counted(user).await, [2, 6, 160]);
}

/// Creates, replaces and deletes conversations. One is left: `posted`, with two messages.
async fn change_conversations(user: &User) {
    let mut posted = user.conversation("posted", &["one", "two"]).await;
    let nine = json!({"id": "m9", "role": "user", "content": "nine", "timestamp": 1});
    posted["messages"] = json!([posted["messages"][1], nine]);
    user.put("/api/conversations/posted", &posted).await.expect(200);
    user.conversation("deleted", &["one", "two", "three"]).await;
    user.delete("/api/conversations/deleted").await.expect(200);
}

/// Two stored turns and an unstored one. 150 tokens take longer than a second, so a checkpoint is written.
async fn take_turns(connection: &mut Connection) {
    let (text, _) = connection.chat(&chat_frame("said", "m1", "/tokens 150")).await;
    connection.chat(&chat_frame("posted", "m2", "/tokens 10")).await;
    let (loose, _) = connection.chat(&json!({"type": "chat", "content": "/tokens 150"})).await;
    assert_eq!((text.split_whitespace().count(), loose), (150, text));
}

#[tokio::test]
async fn every_write_whose_answer_is_lost_has_one_effect() {
    let studio = slow_studio(10).await;
    every_other_write(&studio, DynamoDbFault::AnswerLost);
    everything_happens_once(&studio).await;
    assert!(studio.faults().struck() >= 20, "{}", studio.faults().struck());
}

#[tokio::test]
async fn every_write_that_conflicts_with_a_transaction_succeeds() {
    let studio = slow_studio(10).await;
    for _ in 0..100 {
        let transactions = Target::operation("TransactWriteItems");
        studio.faults().dynamodb(DynamoDbFault::Conflict, transactions.clone(), When::Times(2));
        let fine = DynamoDbFault::Delay(Duration::ZERO);
        studio.faults().dynamodb(fine, transactions, When::Times(1));
    }
    everything_happens_once(&studio).await;
}

#[tokio::test]
async fn every_throttled_or_failed_call_is_retried() {
    let studio = slow_studio(10).await;
    let faults = [DynamoDbFault::ThroughputExceeded, DynamoDbFault::Throttled, DynamoDbFault::InternalError];
    for fault in faults.into_iter().cycle().take(60) {
        studio.faults().dynamodb(fault, Target::any(), When::Times(1));
        studio.faults().dynamodb(DynamoDbFault::Delay(Duration::ZERO), Target::any(), When::Times(2));
    }
    everything_happens_once(&studio).await;
}

#[tokio::test]
async fn a_registration_that_conflicts_ten_times_is_503_and_can_be_retried() {
    let studio = own_studio().await;
    let conflicts = Target::operation("TransactWriteItems");
    studio.faults().dynamodb(DynamoDbFault::Conflict, conflicts, When::Times(10));
    let busy = studio.visitor().post("/api/auth/register", &registration("alice")).await.expect(503);
    assert_eq!(busy.body["code"], "unavailable");
    studio.visitor().post("/api/auth/register", &registration("alice")).await.expect(200);
}

#[tokio::test]
async fn an_interrupted_deletion_looks_complete_to_readers_and_the_next_one_finishes_it() {
    let studio = own_studio().await;
    let alice = studio.user("alice").await;
    alice.conversation("c", &["one", "two", "three"]).await;
    let transactions = Target::operation("TransactWriteItems");
    // The first transaction writes the tombstone; the second removes the items.
    studio.faults().dynamodb(DynamoDbFault::Delay(Duration::ZERO), transactions.clone(), When::Times(1));
    studio.faults().dynamodb(DynamoDbFault::Delay(Duration::from_secs(60)), transactions, When::Times(1));
    let (died, ()) = tokio::join!(alice.delete("/api/conversations/c"), async {
        eventually("the second transaction begins", async || (studio.faults().struck() == 2).then_some(()))
            .await;
        assert!(studio.kill_all("conversations") > 0);
    });
    died.expect(500);
    alice.get("/api/conversations/c").await.expect(404);
    assert_eq!(alice.get("/api/conversations").await.expect(200).body, json!([]));
    assert_eq!(counted(&alice).await, [0, 0, 0]);
    alice.delete("/api/conversations/c").await.expect(404);
    let detailed = alice.get("/api/stats/detailed").await.expect(200).body;
    let messages = detailed["daily_messages_last_30_days"].as_object().unwrap().values();
    assert_eq!(messages.map(|count| count.as_u64().unwrap()).sum::<u64>(), 0, "{detailed}");
    let mut connection = alice.connect().await;
    connection.send(&chat_frame("c", "m", "again")).await;
    assert_eq!(connection.next_any().await["code"], "conversation_deleted");
}
