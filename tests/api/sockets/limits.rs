//! What a connection may do: how many a user has, how many frames each sends, how long they are, and until when.
use serde_json::{Value, json};

use crate::support::{Connection, TestStudio, User, dynamodb, studio, studio_with};

/// A studio in which a connection may send 60 frames, in a window that outlasts the test.
async fn limited() -> TestStudio {
    studio_with(|options| options.variable("RATE_LIMIT", "100").variable("RATE_LIMIT_WINDOW", "3600")).await
}

fn ping() -> Value {
    json!({"type": "ping"})
}

fn stop() -> Value {
    json!({"type": "stop", "messageId": "nothing"})
}

/// Sends this frame, each time the last one was answered, until it is refused: how many were answered, and the refusal.
async fn until_refused(connection: &mut Connection, frame: &Value) -> (usize, Value) {
    for answered in 0.. {
        connection.send(frame).await;
        let answer = connection.next_any().await;
        if answer["code"] == "rate_limited" {
            return (answered, answer);
        }
    }
    unreachable!("a connection sends frames without end");
}

#[tokio::test]
async fn a_connection_sends_sixty_frames_to_the_hundred_requests_of_a_user_and_is_closed_when_it_goes_on() {
    let studio = limited().await;
    let user = studio.user("alice").await;
    let (mut connection, mut other) = (user.connect().await, user.connect().await);
    let (answered, refused) = until_refused(&mut connection, &stop()).await;
    assert_eq!((answered, &refused["type"]), (60, &json!("error")), "{refused}");
    other.is_quiet().await;
    // It goes on, and is closed.
    for _ in 0..400 {
        if connection.try_send(&stop()).await.is_err() {
            break;
        }
    }
    connection.closed().await;
    assert_eq!(other.next_any().await["type"], "user_disconnected");
    other.is_quiet().await;
}

#[tokio::test]
async fn turns_that_are_refused_count_and_are_told_in_the_words_of_turns() {
    let studio = limited().await;
    let mut connection = studio.user("alice").await.connect().await;
    let turn = json!({"type": "chat", "id": "m1", "content": "hello", "model": "gpt-4o", "temperature": 7});
    let (answered, refused) = until_refused(&mut connection, &turn).await;
    assert_eq!(answered, 60);
    assert_eq!((&refused["type"], &refused["id"]), (&json!("chat_error"), &json!("m1")), "{refused}");
    assert_eq!((&refused["retryable"], &refused["retry"]), (&json!(true), &json!("same")), "{refused}");
    assert!((1..=3600).contains(&refused["retry_after"].as_u64().unwrap()), "{refused}");
}

#[tokio::test]
async fn pings_count_like_every_other_frame() {
    let studio = limited().await;
    let mut connection = studio.user("alice").await.connect().await;
    let (answered, refused) = until_refused(&mut connection, &ping()).await;
    assert_eq!((answered, &refused["type"]), (60, &json!("error")), "{refused}");
}

#[tokio::test]
async fn a_ping_reads_nothing_from_the_database() {
    let studio = studio().await;
    let mut connection = studio.user("alice").await.connect().await;
    for _ in 0..20 {
        connection.is_quiet().await;
    }
    studio.reset_meter();
    for _ in 0..20 {
        connection.is_quiet().await;
    }
    // An instance that has never seen the connection looks once.
    let (looks, instances) =
        (studio.meter().operation("GetItem").requests, studio.instances("sockets").len());
    assert!(looks < 20 && looks <= 2 * instances as u64, "{looks} {instances}");
}

#[tokio::test]
async fn an_eleventh_connection_takes_the_place_of_the_oldest() {
    let studio = studio().await;
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    let mut strange = bob.connect().await;
    let mut connections = Vec::new();
    for _ in 0..10 {
        connections.push(alice.connect().await);
    }
    let mut connections = connections.into_iter();
    let (mut first, mut second) = (connections.next().unwrap(), connections.next().unwrap());
    first.is_quiet().await;
    let eleventh = alice.connect().await;
    let told = first.next_any().await;
    assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!("too_many_connections")), "{told}");
    first.closed().await;
    // By an `auth` frame, too.
    let mut twelfth = studio.connect().await;
    twelfth.send(&json!({"type": "auth", "token": alice.token})).await;
    twelfth.next("auth_success").await;
    second.next("error").await;
    second.closed().await;
    for connection in connections.chain([eleventh, twelfth]) {
        let mut connection = connection;
        connection.send(&ping()).await;
        connection.next("pong").await;
    }
    strange.is_quiet().await;
    let health = studio.visitor().get("/health").await.expect(200);
    assert!(health.body["active_connections"].as_u64().unwrap() <= 11, "{}", health.text);
}

#[tokio::test]
async fn a_text_that_is_too_long_for_a_frame_is_shown_another_way() {
    let studio = studio().await;
    let mut connection = studio.user("alice").await.connect().await;
    let say = |length: usize| json!({"type": "chat", "id": "m1", "content": "x".repeat(length)});
    connection.send(&say(30 * 1024)).await;
    let refused = connection.next_any().await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("chat_error"), &json!("body_too_large")));
    assert_eq!(refused["id"], "m1");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("POST /api/chat") && detail.contains("respond-async"), "{detail}");
    let (text, end) = connection.chat(&say(30 * 1024 - 100)).await;
    assert!(text.contains(&"x".repeat(1000)) && end["type"] == "chat_complete", "{end}");
}

/// Says of all the user's connections that their tokens, which are good for 30 minutes, ended so many seconds ago.
async fn age(studio: &TestStudio, user: &User, seconds: u64) {
    let rows = dynamodb(studio, "Scan", &json!({"TableName": "ConnectionsTable"})).await;
    for row in rows["Items"].as_array().unwrap() {
        let of_user = row["user"]["S"] == user.id.as_str() || row["pk"]["S"] == format!("USER#{}", user.id);
        if of_user {
            let update = json!({
                "TableName": "ConnectionsTable", "Key": {"pk": row["pk"], "sk": row["sk"]},
                "UpdateExpression": "SET token_ends = token_ends - :seconds",
                "ExpressionAttributeValues": {":seconds": {"N": (30 * 60 + seconds).to_string()}},
            });
            dynamodb(studio, "UpdateItem", &update).await;
        }
    }
}

#[tokio::test]
async fn a_connection_whose_token_ended_gets_nothing_and_has_a_minute_for_another_one() {
    let studio = studio().await;
    let alice = studio.user("alice").await;
    let (mut late, mut other) = (alice.connect().await, alice.connect().await);
    age(&studio, &alice, 5).await;
    other.send(&json!({"type": "auth", "token": alice.token})).await;
    other.next("auth_success").await;
    late.send(&json!({"type": "typing"})).await;
    let refused = late.next_any().await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("unauthenticated")));
    other.chat(&json!({"type": "chat", "content": "hello"})).await;
    late.send(&json!({"type": "auth", "token": alice.token})).await;
    assert_eq!(late.next_any().await["type"], "auth_success", "of the reply it saw nothing");
    late.is_quiet().await;
}

#[tokio::test]
async fn a_connection_that_takes_longer_is_closed_by_its_own_frame_or_by_one_for_it() {
    let studio = studio().await;
    let alice = studio.user("alice").await;
    let (mut speaks, mut waits) = (alice.connect().await, alice.connect().await);
    age(&studio, &alice, 61).await;
    speaks.send(&json!({"type": "typing"})).await;
    speaks.closed().await;
    // A new connection, or a reply, looks for those that watch.
    let mut new = alice.connect().await;
    waits.closed().await;
    new.chat(&json!({"type": "chat", "content": "hello"})).await;
}
