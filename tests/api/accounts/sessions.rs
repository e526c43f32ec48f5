//! Sessions begin with a login, continue by refresh tokens, and end for all requests and connections at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use local::{DynamoDbFault, Target, When};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{
    Answer, Client, Connection, PASSWORD, TestStudio, User, dynamodb, eventually, own_studio,
};

/// How soon after its end a session must be refused.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

async fn login(studio: &TestStudio, user: &User) -> Value {
    let credentials = json!({"username": user.username, "password": PASSWORD});
    studio.visitor().post("/api/auth/login", &credentials).await.expect(200).body
}

fn text<'a>(signed_in: &'a Value, name: &str) -> &'a str {
    signed_in[name].as_str().unwrap_or_else(|| panic!("no {name} in {signed_in}"))
}

async fn refresh(studio: &TestStudio, token: &str) -> Answer {
    studio.visitor().post("/api/auth/refresh", &json!({"refresh_token": token})).await
}

/// Waits until the token is refused, which must be soon enough.
async fn refused(client: &Client) {
    let start = Instant::now();
    eventually("the token is refused", || async {
        (client.get("/api/stats").await.status == 401).then_some(())
    })
    .await;
    assert!(start.elapsed() < REVOKED_WITHIN, "it took {:?}", start.elapsed());
}

#[tokio::test]
async fn a_refresh_continues_the_session_of_a_login() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let first = login(&studio, &ada).await;
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("bearer"), &json!(1800)));
    let second = refresh(&studio, text(&first, "refresh_token")).await.expect(200).body;
    assert_eq!(second["session_id"], first["session_id"]);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    for signed_in in [&first, &second] {
        ada.with_token(text(signed_in, "access_token")).get("/api/auth/me").await.expect(200);
    }
    refresh(&studio, text(&second, "refresh_token")).await.expect(200);
}

#[tokio::test]
async fn a_hundred_concurrent_refreshes_get_the_same_successor() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let token = text(&login(&studio, &ada).await, "refresh_token").to_owned();
    let mut refreshes = JoinSet::new();
    for _ in 0..100 {
        let (visitor, body) = (studio.visitor(), json!({"refresh_token": token}));
        refreshes.spawn(async move { visitor.post("/api/auth/refresh", &body).await.expect(200).body });
    }
    let answers = refreshes.join_all().await;
    let successors: BTreeSet<&str> = answers.iter().map(|answer| text(answer, "refresh_token")).collect();
    assert_eq!(successors.len(), 1, "successors of 100 refreshes with one token");
    refresh(&studio, successors.first().unwrap()).await.expect(200);
}

#[tokio::test]
async fn a_refresh_whose_answer_was_lost_can_be_sent_again() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let token = text(&login(&studio, &ada).await, "refresh_token").to_owned();
    studio.faults().dynamodb(DynamoDbFault::AnswerLost, Target::operation("UpdateItem"), When::Times(1));
    let once = refresh(&studio, &token).await.expect(200).body;
    let again = refresh(&studio, &token).await.expect(200).body;
    assert_eq!(once["refresh_token"], again["refresh_token"]);
}

#[tokio::test]
async fn a_reused_refresh_token_ends_its_session_and_no_other() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let (stolen, other) = (login(&studio, &ada).await, login(&studio, &ada).await);
    let second = refresh(&studio, text(&stolen, "refresh_token")).await.expect(200).body;
    used_earlier(&studio, &ada, &stolen, 10_000).await;
    let third = refresh(&studio, text(&second, "refresh_token")).await.expect(200).body;
    refresh(&studio, text(&stolen, "refresh_token")).await.expect(401);
    refresh(&studio, text(&third, "refresh_token")).await.expect(401);
    refused(&ada.with_token(text(&third, "access_token"))).await;
    refresh(&studio, text(&other, "refresh_token")).await.expect(200);
}

#[tokio::test]
async fn the_previous_refresh_token_is_accepted_for_ten_seconds() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    for (ago, status) in [(8_500, 200), (10_000, 401)] {
        let first = login(&studio, &ada).await;
        let second = refresh(&studio, text(&first, "refresh_token")).await.expect(200).body;
        used_earlier(&studio, &ada, &first, ago).await;
        let again = refresh(&studio, text(&first, "refresh_token")).await.expect(status).body;
        // Within the ten seconds the old token gives the current one. After that its session ends.
        if status == 200 {
            assert_eq!(again["refresh_token"], second["refresh_token"]);
        }
        refresh(&studio, text(&second, "refresh_token")).await.expect(status);
    }
}

/// Moves the last use of the session's refresh token so many milliseconds into the past.
async fn used_earlier(studio: &TestStudio, user: &User, session: &Value, ago: u64) {
    let change = json!({
        "TableName": "StudioTable",
        "Key": {"pk": {"S": format!("USER#{}", user.id)}, "sk": {"S": format!("SESSION#{}", text(session, "session_id"))}},
        "UpdateExpression": "SET last_used_at = last_used_at - :ago, used[0].#at = used[0].#at - :ago",
        "ExpressionAttributeNames": {"#at": "at"},
        "ExpressionAttributeValues": {":ago": {"N": ago.to_string()}},
    });
    let changed = dynamodb(studio, "UpdateItem", &change).await;
    assert!(changed["ConsumedCapacity"].is_object(), "{changed}");
}

#[tokio::test]
async fn a_refresh_token_is_accepted_for_ten_seconds_however_often_its_successors_are_used() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let first = login(&studio, &ada).await;
    let mut chain = vec![text(&first, "refresh_token").to_owned()];
    for _ in 0..4 {
        let next = refresh(&studio, chain.last().unwrap()).await.expect(200).body;
        chain.push(text(&next, "refresh_token").to_owned());
    }
    for pair in chain.windows(2) {
        let again = refresh(&studio, &pair[0]).await.expect(200).body;
        assert_eq!(text(&again, "refresh_token"), pair[1], "the successor is the same");
    }
    // Reusing the first token after ten seconds ends the session.
    used_earlier(&studio, &ada, &first, 10_000).await;
    refresh(&studio, &chain[1]).await.expect(200);
    refresh(&studio, &chain[0]).await.expect(401);
    refresh(&studio, &chain[4]).await.expect(401);
}

#[tokio::test]
async fn a_forged_refresh_token_is_refused_and_ends_no_session() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let session = login(&studio, &ada).await;
    let token = text(&session, "refresh_token");
    let (head, tag) = token.rsplit_once('.').unwrap();
    let other = if head.ends_with('A') { 'E' } else { 'A' };
    let made_up = format!("{}{other}.{tag}", &head[..head.len() - 1]);
    for bad in ["", "rt_", "x", &made_up, &format!("{token}="), &token[1..], text(&session, "access_token")] {
        refresh(&studio, bad).await.expect(401);
    }
    for body in
        [json!({}), json!({"refresh_token": 1}), json!({"refresh_token": token, "more": 1}), json!([])]
    {
        studio.visitor().post("/api/auth/refresh", &body).await.expect(422);
    }
    refresh(&studio, token).await.expect(200);
}

#[tokio::test]
async fn logging_out_ends_only_this_session_and_its_connections() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let mut staying = ada.connect().await;
    let session = login(&studio, &ada).await;
    let client = ada.with_token(text(&session, "access_token"));
    let mut leaving = connection(&studio, &session).await;
    client.post("/api/auth/logout", &json!({})).await.expect(200);
    leaving.closed().await;
    refused(&client).await;
    refresh(&studio, text(&session, "refresh_token")).await.expect(401);
    let address = format!("{}?token={}", studio.ws_url(), text(&session, "access_token"));
    assert_eq!(Connection::open(&address).await.err(), Some(401));
    staying.send(&json!({"type": "ping"})).await;
    staying.next("pong").await;
    ada.get("/api/stats").await.expect(200);
}

async fn connection(studio: &TestStudio, session: &Value) -> Connection {
    let address = format!("{}?token={}", studio.ws_url(), text(session, "access_token"));
    let mut connection = Connection::open(&address).await.unwrap();
    connection.next("auth_success").await;
    connection
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_sessions_of_the_caller_only() {
    let studio = own_studio().await;
    let (ada, bob) = (studio.user("ada").await, studio.user("bob").await);
    let sessions = [login(&studio, &ada).await, login(&studio, &ada).await];
    let mut connections = [connection(&studio, &sessions[0]).await, ada.connect().await];
    let mut of_bob = bob.connect().await;
    ada.post("/api/auth/logout-all", &json!({})).await.expect(200);
    for connection in &mut connections {
        connection.closed().await;
    }
    for session in &sessions {
        refused(&ada.with_token(text(session, "access_token"))).await;
        refresh(&studio, text(session, "refresh_token")).await.expect(401);
    }
    refused(&ada).await;
    of_bob.send(&json!({"type": "ping"})).await;
    of_bob.next("pong").await;
    // The user can log in again.
    let again = login(&studio, &ada).await;
    ada.with_token(text(&again, "access_token")).get("/api/stats").await.expect(200);
}

#[tokio::test]
async fn sessions_are_listed_and_only_their_owner_can_end_them() {
    let studio = own_studio().await;
    let (ada, bob) = (studio.user("ada").await, studio.user("bob").await);
    let second = login(&studio, &ada).await;
    let listed = ada.get("/api/auth/sessions").await.expect(200).body;
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["id"], second["session_id"], "the last begun comes first");
    assert_eq!(listed.iter().map(|session| &session["current"]).collect::<Vec<_>>(), [false, true]);
    for session in listed {
        assert_eq!(session["address"], "127.0.0.1");
        let times = [&session["created_at"], &session["last_used_at"]];
        assert!(times.iter().all(|time| time.as_str().is_some_and(|time| time.ends_with('Z'))), "{session}");
        assert!(session["user_agent"].is_string());
    }
    let path = format!("/api/auth/sessions/{}", text(&second, "session_id"));
    bob.delete(&path).await.expect(404);
    studio.visitor().delete(&path).await.expect(401);
    ada.delete("/api/auth/sessions/none").await.expect(404);
    ada.with_token(text(&second, "access_token")).get("/api/stats").await.expect(200);
    ada.delete(&path).await.expect(200);
    ada.delete(&path).await.expect(404);
    refused(&ada.with_token(text(&second, "access_token"))).await;
    ada.get("/api/stats").await.expect(200);
}

#[tokio::test]
async fn beyond_fifty_sessions_the_oldest_ends() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    for _ in 0..50 {
        login(&studio, &ada).await;
    }
    let last = login(&studio, &ada).await;
    let client = ada.with_token(text(&last, "access_token"));
    let listed = client.get("/api/auth/sessions").await.expect(200).body;
    assert_eq!(listed.as_array().unwrap().len(), 50);
    refused(&ada).await;
}

#[tokio::test]
async fn concurrent_logins_keep_to_the_limit_of_fifty_sessions() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    for _ in 0..48 {
        login(&studio, &ada).await;
    }
    // More concurrent logins from one address would be refused.
    let logins = futures_util::future::join_all([(); 5].map(|()| login(&studio, &ada))).await;
    let client = ada.with_token(text(&logins[0], "access_token"));
    let listed = client.get("/api/auth/sessions").await.expect(200).body;
    assert_eq!(listed.as_array().unwrap().len(), 50);
    for login in &logins {
        ada.with_token(text(login, "access_token")).get("/api/stats").await.expect(200);
    }
}
