//! What goes wrong around the product, and what its users notice of it.
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use local::{ConnectionFault, DynamoDbFault, InvocationFault, Options, Target, When};
use serde_json::{Value, json};

use crate::support::{Connection, TestStudio, User, eventually, eventually_each, studio, studio_with};

/// The name of a function is the template's.
const REPLIES: &str = "RepliesFunction";

fn say(conversation: &str, id: &str, content: &str) -> Value {
    json!({"type": "chat", "conversationId": conversation, "id": id, "content": content})
}

fn slow(options: Options) -> Options {
    options.variable("OFFLINE_TOKEN_DELAY_MS", "10")
}

fn registration(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "password": "a long enough passphrase"})
}

/// Lets every other call of each operation that writes go wrong, so that each call succeeds when it is made again.
fn every_other_write(studio: &TestStudio, fault: DynamoDbFault) {
    for operation in ["TransactWriteItems", "UpdateItem", "PutItem"] {
        for _ in 0..100 {
            studio.faults().dynamodb(fault, Target::operation(operation), When::Times(1));
            let fine = DynamoDbFault::Delay(Duration::ZERO);
            studio.faults().dynamodb(fine, Target::operation(operation), When::Times(1));
        }
    }
}

/// Conversations, messages and tokens, as the statistics tell them.
async fn counted(user: &User) -> [u64; 3] {
    let basic = user.get("/api/stats").await.expect(200).body;
    ["total_conversations", "total_messages", "total_tokens"].map(|name| basic[name].as_u64().unwrap())
}

/// Does everything that writes once, and makes sure that each happened once.
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
    let ids: Vec<_> = list.as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["posted", "said"]);
    assert_eq!(list[0]["messages"].as_array().unwrap().len(), 4, "{list}");
    assert_eq!(counted(user).await, [2, 6, 160]);
}

/// Leaves one conversation, `posted`, with two messages.
async fn change_conversations(user: &User) {
    let mut posted = user.conversation("posted", &["one", "two"]).await;
    let nine = json!({"id": "m9", "role": "user", "content": "nine", "timestamp": 1});
    posted["messages"] = json!([posted["messages"][1], nine]);
    user.put("/api/conversations/posted", &posted).await.expect(200);
    user.conversation("deleted", &["one", "two", "three"]).await;
    user.delete("/api/conversations/deleted").await.expect(200);
}

/// Two stored turns and a loose one. 150 tokens take longer than a second, so that a checkpoint is written.
async fn take_turns(connection: &mut Connection) {
    let (text, _) = connection.chat(&say("said", "m1", "/tokens 150")).await;
    connection.chat(&say("posted", "m2", "/tokens 10")).await;
    let (loose, _) = connection.chat(&json!({"type": "chat", "content": "/tokens 150"})).await;
    assert_eq!((text.split_whitespace().count(), loose), (150, text));
}

#[tokio::test]
async fn every_write_whose_answer_is_lost_has_one_effect() {
    let studio = studio_with(slow).await;
    every_other_write(&studio, DynamoDbFault::AnswerLost);
    everything_happens_once(&studio).await;
    assert!(studio.faults().struck() >= 20, "{}", studio.faults().struck());
}

#[tokio::test]
async fn every_write_that_meets_another_transaction_succeeds_all_the_same() {
    let studio = studio_with(slow).await;
    for _ in 0..100 {
        let transactions = Target::operation("TransactWriteItems");
        studio.faults().dynamodb(DynamoDbFault::Conflict, transactions.clone(), When::Times(2));
        let fine = DynamoDbFault::Delay(Duration::ZERO);
        studio.faults().dynamodb(fine, transactions, When::Times(1));
    }
    everything_happens_once(&studio).await;
}

#[tokio::test]
async fn every_call_that_is_throttled_or_fails_is_made_again() {
    let studio = studio_with(slow).await;
    let faults = [DynamoDbFault::ThroughputExceeded, DynamoDbFault::Throttled, DynamoDbFault::InternalError];
    for fault in faults.into_iter().cycle().take(60) {
        studio.faults().dynamodb(fault, Target::any(), When::Times(1));
        studio.faults().dynamodb(DynamoDbFault::Delay(Duration::ZERO), Target::any(), When::Times(2));
    }
    everything_happens_once(&studio).await;
}

#[tokio::test]
async fn a_registration_that_meets_others_again_and_again_can_be_tried_later() {
    let studio = studio().await;
    let conflicts = Target::operation("TransactWriteItems");
    studio.faults().dynamodb(DynamoDbFault::Conflict, conflicts, When::Times(10));
    let busy = studio.visitor().post("/api/auth/register", &registration("alice")).await.expect(503);
    assert_eq!(busy.body["code"], "unavailable");
    studio.visitor().post("/api/auth/register", &registration("alice")).await.expect(200);
}

/// Three connections of one user, and a reply on its way in all of them.
async fn reply_in_three_connections(studio: &TestStudio) -> [Connection; 3] {
    let alice = studio.user("alice").await;
    let mut connections = [alice.connect().await, alice.connect().await, alice.connect().await];
    connections[0].send(&say("c", "m", "/tokens 200")).await;
    connections[0].next("chat_accepted").await;
    for connection in &mut connections {
        assert_eq!(connection.next_any().await["seq"], 0);
    }
    connections
}

/// The rest of a reply whose first chunk was seen: chunks in order, and the whole.
async fn rest(connection: &mut Connection) {
    let mut seq = 1;
    loop {
        let frame = connection.next_any().await;
        match frame["type"].as_str() {
            Some("chat_chunk") => assert_eq!(frame["seq"], seq, "{frame}"),
            Some("chat_complete") => break assert!(frame["content"].as_str().unwrap().ends_with("199 200 ")),
            Some("user_disconnected") => continue,
            _ => panic!("unexpected: {frame}"),
        }
        seq += 1;
    }
}

/// Waits until `/health` tells of so many connections. It may trust its count for ten seconds.
async fn connections_are(studio: &TestStudio, number: u64) {
    eventually_each(Duration::from_millis(500), "the right number of connections", async || {
        let health = studio.visitor().get("/health").await.expect(200).body;
        (health["active_connections"] == number).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_vanishes_disturbs_no_other() {
    let studio = studio_with(slow).await;
    let [mut first, vanishing, mut last] = reply_in_three_connections(&studio).await;
    // The TCP connection goes, without a word.
    drop(vanishing);
    tokio::join!(rest(&mut first), rest(&mut last));
    connections_are(&studio, 2).await;
}

#[tokio::test]
async fn a_connection_that_is_gone_when_it_is_pushed_to_is_forgotten() {
    let studio = studio_with(slow).await;
    let mut connections = reply_in_three_connections(&studio).await;
    studio.faults().connections(ConnectionFault::Gone, None, When::Times(1));
    two_see_the_rest(&mut connections).await;
    connections_are(&studio, 2).await;
}

#[tokio::test]
async fn a_connection_that_takes_nothing_delays_no_other() {
    let studio = studio_with(slow).await;
    let mut connections = reply_in_three_connections(&studio).await;
    studio.faults().connections(ConnectionFault::Hang, None, When::Times(1));
    two_see_the_rest(&mut connections).await;
}

/// Which connection a fault strikes is chance; the two others see the whole reply.
async fn two_see_the_rest(connections: &mut [Connection; 3]) {
    let mut watching: FuturesUnordered<_> = connections.iter_mut().map(rest).collect();
    for _ in 0..2 {
        watching.next().await.expect("a connection");
    }
}

#[tokio::test]
async fn a_connection_that_is_pushed_to_too_fast_loses_nothing() {
    let studio = studio_with(slow).await;
    let mut connections = reply_in_three_connections(&studio).await;
    studio.faults().connections(ConnectionFault::LimitExceeded, None, When::Times(2));
    for connection in &mut connections {
        rest(connection).await;
    }
}

#[tokio::test]
async fn a_reply_that_is_asked_for_twice_is_made_once() {
    let studio = studio_with(slow).await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    studio.faults().invocations(InvocationFault::Duplicate, Some(REPLIES), When::Always);
    for number in 1..=3 {
        let (text, _) = connection.chat(&say("c", &format!("m{number}"), "/tokens 20")).await;
        assert_eq!(text.split_whitespace().count(), 20, "{text}");
        connection.chat(&json!({"type": "chat", "content": "/tokens 20"})).await;
    }
    connection.is_quiet().await;
    assert_eq!(counted(&alice).await, [1, 6, 60]);
}

#[tokio::test]
async fn a_reply_that_nobody_was_told_of_waits_and_no_other_begins() {
    let studio = studio().await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    studio.faults().invocations(InvocationFault::Lost, Some(REPLIES), When::Times(1));
    connection.send(&say("c", "m1", "lost")).await;
    let accepted = connection.next_any().await;
    assert_eq!(accepted["type"], "chat_accepted", "{accepted}");
    let stored = alice.get("/api/conversations/c").await.expect(200).body;
    let reply = &stored["messages"][1];
    assert_eq!((&reply["id"], &reply["status"]), (&accepted["messageId"], &json!("pending")), "{stored}");
    assert_eq!(reply["content"], "");
    connection.send(&say("c", "m2", "next")).await;
    let refused = connection.next_any().await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("chat_error"), &json!("reply_running")));
    // Elsewhere the user goes on, and the conversation itself can be deleted.
    connection.chat(&say("d", "m1", "elsewhere")).await;
    alice.delete("/api/conversations/c").await.expect(200);
    assert_eq!(counted(&alice).await[..2], [1, 2]);
}

/// Asks for a turn until it is accepted.
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
async fn a_reply_whose_worker_dies_keeps_what_had_come_and_gives_way_to_the_next() {
    let studio = studio_with(slow).await;
    let alice = studio.user("alice").await;
    let mut connection = alice.connect().await;
    connection.send(&say("c", "m1", "/tokens 5000")).await;
    connection.next("chat_accepted").await;
    // Chunk 12 comes 1.8 s after the first, and the first checkpoint after one.
    while connection.next("chat_chunk").await["seq"] != 12 {}
    assert!(studio.kill_all("replies") > 0);
    until_accepted(&mut connection, &say("c", "m2", "/tokens 3")).await;
    let complete = connection.next("chat_complete").await;
    assert_eq!(complete["content"], "1 2 3 ");
    let stored = alice.get("/api/conversations/c").await.expect(200).body;
    let messages = stored["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 4, "{stored}");
    assert_eq!(messages[1]["status"], "interrupted", "{stored}");
    assert!(messages[1]["content"].as_str().unwrap().starts_with("1 2 3 4 5 6 7 8 9 10 11 "), "{stored}");
    assert_eq!(messages[3]["status"], "complete", "{stored}");
    // The first turn, sent again, says how it ended.
    connection.send(&say("c", "m1", "/tokens 5000")).await;
    assert_eq!(connection.next("chat_error").await["status"], "interrupted");
    assert_eq!(counted(&alice).await[..2], [1, 4]);
}

/// Lets the next read take long, so that whoever does it can be killed meanwhile.
async fn delay_a_read(studio: &TestStudio) -> impl Future<Output = ()> {
    // What mails a new user reads first, too, at any time after the registration.
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
    let studio = studio().await;
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
async fn a_frame_whose_function_dies_is_an_error_of_the_gateway_and_the_connection_lives_on() {
    let studio = studio().await;
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

#[tokio::test]
async fn a_disconnect_that_was_lost_is_made_up_for_by_the_next_push() {
    let studio = studio().await;
    let alice = studio.user("alice").await;
    let (leaving, mut staying) = (alice.connect().await, alice.connect().await);
    let begun = delay_a_read(&studio).await;
    drop(leaving);
    begun.await;
    assert!(studio.kill_all("sockets") > 0);
    staying.send(&json!({"type": "chat", "content": "hello"})).await;
    staying.next("chat_complete").await;
    // Whoever finds the connection dead tells of it in the place of the disconnect that was lost.
    staying.next("user_disconnected").await;
    connections_are(&studio, 1).await;
}

#[tokio::test]
async fn a_deletion_that_broke_off_is_total_for_readers_and_the_next_one_finishes_it() {
    let studio = studio().await;
    let alice = studio.user("alice").await;
    alice.conversation("c", &["one", "two", "three"]).await;
    let transactions = Target::operation("TransactWriteItems");
    // The first transaction buries the conversation; in the second, the items go.
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
    connection.send(&say("c", "m", "again")).await;
    assert_eq!(connection.next_any().await["code"], "conversation_deleted");
}
