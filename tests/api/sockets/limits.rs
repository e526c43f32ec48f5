//! Limits of connections: how many a user has, how many frames one sends, how long frames are, and when tokens
//! expire.

use serde_json::{Value, json};

use crate::support::{Connection, TestStudio, User, dynamodb, own_studio, shared_studio, studio_with};

/// A studio in which a connection may send 60 frames during a test.
async fn limited() -> TestStudio {
    studio_with(|options| options.variable("RATE_LIMIT", "100").variable("RATE_LIMIT_WINDOW", "3600")).await
}

fn ping() -> Value {
    json!({"type": "ping"})
}

fn stop() -> Value {
    json!({"type": "stop", "messageId": "nothing"})
}

/// Sends a frame again and again until it is refused: how many were answered, and the refusal.
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
async fn a_connection_may_send_sixty_percent_of_the_request_limit_and_is_closed_when_it_goes_on() {
    let studio = limited().await;
    let user = studio.user("alice").await;
    let (mut connection, mut other) = (user.connect().await, user.connect().await);
    let (answered, refused) = until_refused(&mut connection, &stop()).await;
    assert_eq!((answered, &refused["type"]), (60, &json!("error")), "{refused}");
    other.is_quiet().await;
    // A connection that goes on sending is closed.
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
async fn refused_turns_count_against_the_limit_and_are_refused_with_chat_error() {
    let studio = limited().await;
    let mut connection = studio.user("alice").await.connect().await;
    let turn = json!({"type": "chat", "id": "m1", "content": "hello", "model": "gpt-4o", "temperature": 7});
    let (answered, refused) = until_refused(&mut connection, &turn).await;
    // An instance learns how many frames other instances counted when it next writes to the counter.
    assert!((60..=60 + studio.instances("sockets").len()).contains(&answered), "{answered}");
    assert_eq!((&refused["type"], &refused["id"]), (&json!("chat_error"), &json!("m1")), "{refused}");
    assert_eq!((&refused["retryable"], &refused["retry"]), (&json!(true), &json!("same")), "{refused}");
    assert!((1..=3600).contains(&refused["retry_after"].as_u64().unwrap()), "{refused}");
}

#[tokio::test]
async fn pings_are_limited_approximately_across_instances() {
    let studio = limited().await;
    let mut connection = studio.user("alice").await.connect().await;
    let (answered, refused) = until_refused(&mut connection, &ping()).await;
    let instances = studio.instances("sockets").len();
    assert!((51..=60 + 10 * instances).contains(&answered), "{answered} {instances}");
    assert_eq!(refused["type"], "error");
}

#[tokio::test]
async fn a_ping_reads_nothing_from_the_database() {
    let studio = own_studio().await;
    let mut connection = studio.user("alice").await.connect().await;
    for _ in 0..20 {
        connection.is_quiet().await;
    }
    studio.reset_meter();
    for _ in 0..20 {
        connection.is_quiet().await;
    }
    // An instance that has never seen the connection reads it once.
    let (looks, instances) =
        (studio.meter().operation("GetItem").requests, studio.instances("sockets").len());
    assert!(looks < 20 && looks <= 2 * instances as u64, "{looks} {instances}");
}

#[tokio::test]
async fn an_eleventh_connection_replaces_the_oldest() {
    let studio = shared_studio().await;
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
    // The same with an `auth` frame.
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
async fn a_text_too_long_for_a_frame_is_refused_with_a_pointer_to_http() {
    let studio = shared_studio().await;
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

/// Makes the tokens of all connections of the user expire so many seconds ago. Tokens last 30 minutes.
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
async fn a_connection_whose_token_expired_gets_nothing_and_has_a_minute_to_renew_it() {
    let studio = own_studio().await;
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
async fn a_connection_that_does_not_renew_its_token_is_closed_at_the_next_frame() {
    let studio = own_studio().await;
    let alice = studio.user("alice").await;
    let (mut speaks, mut waits) = (alice.connect().await, alice.connect().await);
    age(&studio, &alice, 61).await;
    speaks.send(&json!({"type": "typing"})).await;
    speaks.closed().await;
    // Opening a connection and finishing a reply look for the user's other connections.
    let mut new = alice.connect().await;
    waits.closed().await;
    new.chat(&json!({"type": "chat", "content": "hello"})).await;
}
