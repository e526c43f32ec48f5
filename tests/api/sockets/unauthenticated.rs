//! Unauthenticated connections: what they may send, how long they live, and that they do not slow down others.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Connection, TestStudio, WAIT_TIMEOUT, dynamodb, eventually, own_studio, studio_with};

const PING: &str = r#"{"type":"ping"}"#;
/// How many frames are answered before a connection authenticates.
const ANSWERED: usize = 5;

/// All frames until the server closes the connection.
async fn until_closed(connection: &mut Connection) -> Vec<Value> {
    let mut frames = Vec::new();
    let closed = async {
        while let Some(frame) = connection.try_next().await {
            frames.push(frame);
        }
    };
    timeout(WAIT_TIMEOUT, closed).await.expect("the server closes the connection");
    frames
}

/// The items of connections.
async fn all_rows(studio: &TestStudio) -> Vec<Value> {
    let scan = json!({"TableName": "ConnectionsTable", "ConsistentRead": true,
        "FilterExpression": "sk = :sk", "ExpressionAttributeValues": {":sk": {"S": "CONNECTION"}}});
    dynamodb(studio, "Scan", &scan).await["Items"].as_array().expect("items").clone()
}

/// How many items list the connections of users.
async fn rows_of_users(studio: &TestStudio) -> usize {
    let scan = json!({"TableName": "ConnectionsTable", "ConsistentRead": true,
        "FilterExpression": "sk <> :sk", "ExpressionAttributeValues": {":sk": {"S": "CONNECTION"}}});
    dynamodb(studio, "Scan", &scan).await["Items"].as_array().expect("items").len()
}

#[tokio::test]
async fn five_unauthenticated_frames_are_refused_and_the_sixth_closes_the_connection() {
    let studio = studio_with(|options| options).await;
    for frame in [PING, r#"{"type":"typing"}"#, "not JSON", r#"{"type":"chat","content":"x"}"#] {
        let mut connection = studio.connect().await;
        for _ in 0..ANSWERED {
            connection.send_text(frame).await;
            let answer = connection.next_any().await;
            assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("unauthenticated")));
        }
        connection.send_text(frame).await;
        assert_eq!(until_closed(&mut connection).await, Vec::<Value>::new(), "{frame}");
    }
    // Frames sent all at once are limited too.
    let mut connection = studio.connect().await;
    for _ in 0..40 {
        connection.send_text(PING).await;
    }
    assert!(until_closed(&mut connection).await.len() <= ANSWERED);
    eventually("nothing is left of them", async || all_rows(&studio).await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn thirty_seconds_after_the_connect_any_frame_but_auth_closes_an_unauthenticated_connection() {
    let studio = studio_with(|options| options).await;
    let alice = studio.user("alice").await;
    let mut connections = [studio.connect().await, studio.connect().await];
    let rows = all_rows(&studio).await;
    let half_a_minute_ago = rows[0]["connected_at"]["N"].as_str().unwrap().parse::<u64>().unwrap() - 31_000;
    let bodies = [json!({"type": "ping"}), json!({"type": "auth", "token": alice.token})];
    for (row, body) in rows.iter().zip(&bodies) {
        let context = json!({"routeKey": body["type"], "connectionId": row["id"]["S"], "requestId": "r",
            "connectedAt": half_a_minute_ago, "identity": {"sourceIp": "127.0.0.1"}});
        let event = json!({"requestContext": context, "body": body.to_string(), "isBase64Encoded": false});
        studio.invoke("SocketsFunction", event).await.unwrap();
    }
    // The table does not tell which connection an item belongs to.
    let mut types = Vec::new();
    for connection in &mut connections {
        let answer = connection.next_any().await["type"].as_str().unwrap().to_owned();
        if answer == "error" {
            assert_eq!(until_closed(connection).await, Vec::<Value>::new());
        }
        types.push(answer);
    }
    types.sort_unstable();
    assert_eq!(types, ["auth_success", "error"]);
    assert_eq!(studio.connections(), 1);
}

#[tokio::test]
async fn frames_that_overtake_their_auth_frame_work_on_many_connections_at_once() {
    let studio = studio_with(|options| options).await;
    let alice = studio.user("alice").await;
    let connections = join_all((0..3).map(|_| studio.connect())).await;
    join_all(connections.into_iter().map(async |mut connection| {
        connection.send(&json!({"type": "auth", "token": alice.token})).await;
        connection.send_text(PING).await;
        connection.next("auth_success").await;
        connection.next("pong").await;
        assert!(
            !connection.unasked().iter().any(|frame| frame["type"] == "error"),
            "{:?}",
            connection.unasked()
        );
    }))
    .await;
}

/// Sends pings on many unauthenticated connections: how long a frame of a user takes meanwhile, and how many
/// instances run afterwards.
async fn flood(studio: &TestStudio, connections: usize, pings: usize) -> (Duration, usize) {
    let mut user = studio.user("alice").await.connect().await;
    let mut strangers = join_all((0..connections).map(|_| studio.connect())).await;
    join_all(strangers.iter_mut().map(async |connection| {
        for _ in 0..pings {
            if connection.try_send(&json!({"type": "ping"})).await.is_err() {
                break;
            }
        }
    }))
    .await;
    let start = Instant::now();
    user.is_quiet().await;
    let took = start.elapsed();
    join_all(strangers.iter_mut().map(until_closed)).await;
    (took, studio.instances("SocketsFunction").len())
}

#[tokio::test]
async fn a_burst_of_unauthenticated_frames_delays_no_user_and_starts_few_instances() {
    let studio = studio_with(|options| options).await;
    let (took, instances) = flood(&studio, 8, 50).await;
    println!("a user's frame after 400 unauthenticated ones took {took:?}, on {instances} instances");
    assert!(instances <= 20, "{instances} instances");
    // Other tests run at the same time.
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn of_thirty_connections_opened_at_once_only_the_ten_newest_stay_open() {
    let studio = own_studio().await;
    let alice = studio.user("alice").await;
    let address = format!("{}?token={}", studio.ws_url(), alice.token);
    let open = async |count| join_all((0..count).map(|_| Connection::open(&address))).await;
    let mut older: Vec<Connection> = open(20).await.into_iter().map(Result::unwrap).collect();
    let mut newest: Vec<Connection> = open(10).await.into_iter().map(Result::unwrap).collect();
    join_all(older.iter_mut().map(until_closed)).await;
    eventually("the closed ones are forgotten", async || {
        let rows = (all_rows(&studio).await.len(), rows_of_users(&studio).await);
        (rows == (10, 10) && studio.connections() == 10).then_some(())
    })
    .await;
    for connection in &mut newest {
        connection.send_text(PING).await;
        connection.next("pong").await;
    }
}

#[tokio::test]
async fn a_connection_without_an_item_is_closed_at_its_next_frame() {
    let studio = own_studio().await;
    let mut connection = studio.user("alice").await.connect().await;
    let row = all_rows(&studio).await.remove(0);
    let delete = json!({"TableName": "ConnectionsTable", "Key": {"pk": row["pk"], "sk": row["sk"]}});
    dynamodb(&studio, "DeleteItem", &delete).await;
    connection.send(&json!({"type": "typing"})).await;
    assert_eq!(until_closed(&mut connection).await, Vec::<Value>::new());
}
