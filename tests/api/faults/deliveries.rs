//! Connections vanish, hang and refuse pushes, and the other connections of the user see everything.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use local::{ConnectionFault, When};
use serde_json::json;

use super::dying_functions::delay_a_read;
use crate::support::{Connection, TestStudio, chat_frame, eventually_each, own_studio, slow_studio};

/// Three connections of one user that receive a running reply.
async fn reply_in_three_connections(studio: &TestStudio) -> [Connection; 3] {
    let alice = studio.user("alice").await;
    let mut connections = [alice.connect().await, alice.connect().await, alice.connect().await];
    connections[0].send(&chat_frame("c", "m", "/tokens 200")).await;
    connections[0].next("chat_accepted").await;
    for connection in &mut connections {
        assert_eq!(connection.next_any().await["seq"], 0);
    }
    connections
}

/// Reads the rest of a reply after its first chunk. Chunks must be in order, and the end must hold the whole text.
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

/// Waits until `/health` reports so many connections. It caches the count for ten seconds.
async fn connections_are(studio: &TestStudio, number: u64) {
    eventually_each(Duration::from_millis(500), "the right number of connections", async || {
        let health = studio.visitor().get("/health").await.expect(200).body;
        (health["active_connections"] == number).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_vanished_connection_does_not_disturb_others() {
    let studio = slow_studio(10).await;
    let [mut first, vanishing, mut last] = reply_in_three_connections(&studio).await;
    // The TCP connection ends without a closing handshake.
    drop(vanishing);
    tokio::join!(rest(&mut first), rest(&mut last));
    connections_are(&studio, 2).await;
}

#[tokio::test]
async fn a_connection_found_gone_by_a_push_is_deleted() {
    let studio = slow_studio(10).await;
    let mut connections = reply_in_three_connections(&studio).await;
    studio.faults().connections(ConnectionFault::Gone, None, When::Times(1));
    two_see_the_rest(&mut connections).await;
    connections_are(&studio, 2).await;
}

#[tokio::test]
async fn a_hanging_connection_does_not_delay_others() {
    let studio = slow_studio(10).await;
    let mut connections = reply_in_three_connections(&studio).await;
    studio.faults().connections(ConnectionFault::Hang, None, When::Times(1));
    two_see_the_rest(&mut connections).await;
}

/// Waits until two connections have seen the whole reply. Which one the fault strikes is random.
async fn two_see_the_rest(connections: &mut [Connection; 3]) {
    let mut watching: FuturesUnordered<_> = connections.iter_mut().map(rest).collect();
    for _ in 0..2 {
        watching.next().await.expect("a connection");
    }
}

#[tokio::test]
async fn a_connection_whose_pushes_are_throttled_loses_nothing() {
    let studio = slow_studio(10).await;
    let mut connections = reply_in_three_connections(&studio).await;
    studio.faults().connections(ConnectionFault::LimitExceeded, None, When::Times(2));
    for connection in &mut connections {
        rest(connection).await;
    }
}

#[tokio::test]
async fn the_next_push_makes_up_for_a_lost_disconnect() {
    let studio = own_studio().await;
    let alice = studio.user("alice").await;
    let (leaving, mut staying) = (alice.connect().await, alice.connect().await);
    let begun = delay_a_read(&studio).await;
    drop(leaving);
    begun.await;
    assert!(studio.kill_all("sockets") > 0);
    staying.send(&json!({"type": "chat", "content": "hello"})).await;
    staying.next("chat_complete").await;
    // The push that finds the connection gone announces it in place of the lost disconnect.
    staying.next("user_disconnected").await;
    connections_are(&studio, 1).await;
}
