//! Many connections of many users at once.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Connection, TestStudio, User, studio_with};

const USERS: usize = 5;
const CONNECTIONS_EACH: usize = 10;
/// How many connections of a user send a turn.
const ASKING: usize = 2;

/// A reply as one connection saw it.
#[derive(Default)]
struct Seen {
    text: String,
    chunks: u64,
    complete: Option<Value>,
}

/// Reads frames until all replies of the user are complete. Chunks must arrive in order and belong to this user.
async fn watch(connection: &mut Connection, user: usize) -> BTreeMap<String, Seen> {
    let mut replies: BTreeMap<String, Seen> = BTreeMap::new();
    while replies.values().filter(|seen| seen.complete.is_some()).count() < ASKING {
        let frame = connection.next_any().await;
        if frame["type"] == "chat_accepted" {
            continue;
        }
        let seen = replies.entry(frame["messageId"].as_str().unwrap().to_owned()).or_default();
        assert!(seen.complete.is_none(), "something came behind the end: {frame}");
        if frame["type"] == "chat_chunk" {
            assert_eq!(frame["seq"], seen.chunks, "{frame}");
            seen.chunks += 1;
            seen.text.push_str(frame["content"].as_str().unwrap());
        } else {
            assert_eq!(frame["type"], "chat_complete", "{frame}");
            assert_eq!(frame["content"], seen.text);
            seen.complete = Some(frame);
        }
    }
    let (mine, marker) = (format!("<user {user}>"), "<user ");
    for seen in replies.values() {
        assert!(seen.text.contains(&mine), "{}", seen.text);
        assert_eq!(seen.text.matches(marker).count(), seen.text.matches(&mine).count(), "{}", seen.text);
        assert!(seen.chunks > 1, "a reply came in one piece: {}", seen.text);
    }
    replies
}

async fn enter(studio: &TestStudio, number: usize) -> (User, Vec<Connection>) {
    let user = studio.user(&format!("user{number}")).await;
    let connections = join_all((0..CONNECTIONS_EACH).map(|_| user.connect())).await;
    (user, connections)
}

#[tokio::test]
async fn every_connection_sees_all_replies_of_its_user_in_order_and_no_others() {
    let studio = studio_with(|options| options.variable("OFFLINE_TOKEN_DELAY_MS", "4")).await;
    let mut crowd = join_all((0..USERS).map(|number| enter(&studio, number))).await;
    assert_eq!(studio.connections(), USERS * CONNECTIONS_EACH);
    for (number, (_, connections)) in crowd.iter_mut().enumerate() {
        for (asking, connection) in connections.iter_mut().take(ASKING).enumerate() {
            let content = format!("<user {number}> ").repeat(30 + asking);
            connection.send(&json!({"type": "chat", "content": content})).await;
        }
    }
    let watching = crowd.iter_mut().enumerate().flat_map(|(number, (_, connections))| {
        connections.iter_mut().map(move |connection| async move { (number, watch(connection, number).await) })
    });
    let mut ids: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (number, replies) in join_all(watching).await {
        ids.entry(number).or_default().extend(replies.into_keys());
    }
    // All connections of a user saw the same replies, and no reply reached two users.
    assert!(ids.values().all(|ids| ids.len() == ASKING), "{ids:?}");
    assert_eq!(ids.values().flatten().collect::<BTreeSet<_>>().len(), USERS * ASKING);
    for (_, connections) in &mut crowd {
        connections[CONNECTIONS_EACH - 1].is_quiet().await;
    }
    let health = studio.visitor().get("/health").await.expect(200);
    assert_eq!(health.body["total_users"], USERS, "{}", health.text);
}
