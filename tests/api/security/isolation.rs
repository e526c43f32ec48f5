//! No user can read, change or detect the data of another user.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, User, assert_statistics_match, path_of, send, shared_studio};

/// Everything a user can read.
async fn view(user: &User) -> [Value; 4] {
    [
        user.get("/api/auth/me").await.expect(200).body,
        user.get("/api/conversations").await.expect(200).body,
        user.get("/api/stats").await.expect(200).body,
        user.get("/api/stats/detailed").await.expect(200).body,
    ]
}

async fn ask(client: &Client, method: &Method, path: &str, body: &Value) -> Answer {
    send(client.request(method.clone(), path).json(body)).await
}

/// Every route with an id, with a query and a body that the owner could send.
fn routes() -> Vec<(&'static str, &'static str, Value)> {
    let replacement = json!({"title": "Mine now", "messages": []});
    vec![
        ("GET /api/conversations/{id}", "", Value::Null),
        ("GET /api/conversations/{id}", "?messages=1&branch=all", Value::Null),
        ("PUT /api/conversations/{id}", "", replacement),
        ("PATCH /api/conversations/{id}", "", json!({"title": "Mine now", "model": "m", "pinned": true})),
        ("PATCH /api/conversations/{id}", "", json!({"pinned": true})),
        ("PATCH /api/conversations/{id}", "", json!({"currentMessageId": "m0"})),
        ("GET /api/conversations/{id}/messages", "", Value::Null),
        ("GET /api/conversations/{id}/messages", "?order=desc&branch=all&limit=1", Value::Null),
        ("POST /api/conversations/{id}/messages", "", json!({"role": "user", "content": "Mine now"})),
        (
            "POST /api/conversations/{id}/messages",
            "",
            json!({"role": "user", "content": "Mine now", "parentId": "m0"}),
        ),
        ("PATCH /api/conversations/{id}/messages/{messageId}", "", json!({"content": "Mine now"})),
        ("DELETE /api/conversations/{id}/messages/{messageId}", "", Value::Null),
        ("POST /api/conversations/{id}/messages/{messageId}/stop", "", Value::Null),
        ("POST /api/conversations/{id}/fork", "", json!({"messageId": "m0"})),
        ("GET /api/conversations/{id}/export", "", Value::Null),
        ("GET /api/conversations/{id}/export", "?format=markdown", Value::Null),
        ("DELETE /api/auth/sessions/{id}", "", Value::Null),
        ("DELETE /api/auth/keys/{id}", "", Value::Null),
        ("DELETE /api/conversations/{id}", "", Value::Null),
    ]
}

#[test]
fn every_route_with_an_id_is_in_the_table() {
    let template = std::fs::read_to_string(format!("{}/template.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let named = local::routes(&template).unwrap().into_iter().map(|route| route.key);
    let named: BTreeSet<String> = named.filter(|key| key.contains(" /api/") && key.contains('{')).collect();
    let asked: BTreeSet<String> = routes().into_iter().map(|(key, ..)| key.to_owned()).collect();
    assert_eq!(asked, named);
}

#[tokio::test]
async fn data_of_another_user_is_not_found_on_every_route() {
    let studio = shared_studio().await;
    let (owner, stranger) = (studio.user("owner").await, studio.user("stranger").await);
    owner.conversation("private", &["My secret", "Kept"]).await;
    let key = owner.post("/api/auth/keys", &json!({"name": "report"})).await.expect(200).body;
    let (key, secret) = (key["id"].as_str().unwrap(), owner.with_token(key["key"].as_str().unwrap()));
    let sessions = owner.get("/api/auth/sessions").await.expect(200).body;
    let session = sessions[0]["id"].as_str().unwrap();
    let (before, nothing) = (view(&owner).await, view(&stranger).await);
    for (route, query, body) in routes() {
        let (method, path) = route.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        // An id of the same kind that does not exist.
        let (id, absent) = match path.split('/').nth(3) {
            Some("sessions") => (session, "sess_01KAM3V5T9ZQX7N2B400000000"),
            Some("keys") => (key, "key_01KAM3V5T9ZQX7N2B400000000"),
            _ => ("private", "absent"),
        };
        let path = |id: &str| format!("{}{query}", path.replace("{id}", id).replace("{messageId}", "m0"));
        let there = ask(&stranger, &method, &path(id), &body).await;
        let absent = ask(&stranger, &method, &path(absent), &body).await;
        assert_eq!((there.status, absent.status), (404, 404), "{route}{query}: {}", there.text);
        assert_eq!(there.body["detail"], absent.body["detail"], "{route}{query}: the answers are the same");
        assert!(!there.text.contains("secret"), "{}", there.text);
        let visitor = ask(&studio.visitor(), &method, &path(id), &body).await;
        assert_eq!(visitor.status, 401, "{route}{query}: {}", visitor.text);
    }
    let exported = stranger.get("/api/export").await.expect(200).body;
    assert_eq!(exported["conversations"], json!([]));
    for body in [json!({"ids": ["private"]}), json!({"all": true})] {
        let nothing = stranger.post("/api/conversations/delete", &body).await.expect(200);
        assert_eq!(nothing.body["deleted"], 0, "{}", nothing.text);
    }
    // An id cannot reach other keys of the store.
    for id in [
        format!("{}#private", owner.id),
        format!("../{}/private", owner.id),
        format!("private&user={}", owner.id),
    ] {
        stranger.get(&path_of(&id)).await.expect(404);
    }
    assert_eq!(view(&owner).await, before);
    assert_eq!(view(&stranger).await, nothing);
    assert_eq!((&nothing[1], &nothing[2]["total_messages"]), (&json!([]), &json!(0)));
    secret.get("/api/conversations").await.expect(200);
}

#[tokio::test]
async fn the_owner_finds_the_data_on_every_route() {
    let studio = shared_studio().await;
    let owner = studio.user("owner").await;
    for (number, (route, query, body)) in routes().into_iter().enumerate() {
        let id = format!("own{number}");
        owner.conversation(&id, &["First", "Second"]).await;
        let key = owner.post("/api/auth/keys", &json!({"name": "report"})).await.expect(200).body;
        let login = json!({"username": owner.username, "password": PASSWORD});
        owner.post("/api/auth/login", &login).await.expect(200);
        let sessions = owner.get("/api/auth/sessions").await.expect(200).body;
        let other = sessions.as_array().unwrap().iter().find(|session| session["current"] != true).unwrap();
        let (method, path) = route.split_once(' ').unwrap();
        let id = match path.split('/').nth(3) {
            Some("sessions") => other["id"].as_str().unwrap(),
            Some("keys") => key["id"].as_str().unwrap(),
            _ => &id,
        };
        let path = format!("{}{query}", path.replace("{id}", id).replace("{messageId}", "m0"));
        let answer = ask(&owner, &method.parse().unwrap(), &path, &body).await;
        // There is no running reply to stop.
        let expected = if route.ends_with("/stop") { 404 } else { 200 };
        assert_eq!(answer.status, expected, "{route}{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_same_id_names_a_separate_conversation_for_each_user() {
    let studio = shared_studio().await;
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    let (hers, his) = tokio::join!(
        alice.conversation("shared-id", &["Hers"]),
        bob.conversation("shared-id", &["His", "Two"])
    );
    let path = "/api/conversations/shared-id";
    assert_eq!(alice.get(path).await.expect(200).body, hers);
    assert_eq!(bob.get(path).await.expect(200).body, his);
    assert_eq!((&hers["userId"], &his["userId"]), (&json!(alice.id), &json!(bob.id)));
    alice.put(path, &json!({"title": "Hers", "messages": []})).await.expect(200);
    assert_eq!(bob.get(path).await.expect(200).body, his);
    // Only the token decides who the caller is.
    let request = alice.request(Method::GET, &format!("{path}?user_id={0}&userId={0}", bob.id));
    let answer = send(request.header("x-user-id", &bob.id)).await.expect(200);
    assert_eq!(answer.body["title"], "Hers");
    bob.delete(path).await.expect(200);
    assert_eq!(alice.get(path).await.expect(200).body["title"], "Hers");
    let mut connection = bob.connect().await;
    connection.send(&json!({"type": "chat", "content": "hello", "conversationId": "hers-too"})).await;
    connection.reply().await;
    alice.get("/api/conversations/hers-too").await.expect(404);
    for user in [&alice, &bob] {
        assert_statistics_match(user, &user.username).await;
        let list = user.get("/api/conversations").await.body;
        assert_eq!(list.as_array().unwrap().len(), 1);
        assert_eq!(list[0]["userId"], *user.id);
    }
}
