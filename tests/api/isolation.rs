//! Nobody reads or changes what is not theirs, or learns that it is there.

use reqwest::Method;
use serde_json::{Value, json};

use crate::actors::{Answer, Client, User, send, studio};
use crate::statistics::assert_statistics_match;

/// All that a user can see of their own.
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

fn without_id(body: &Value) -> Value {
    let mut body = body.clone();
    body.as_object_mut().map(|fields| fields.remove("id"));
    body
}

#[tokio::test]
async fn another_users_conversation_reads_as_absent_on_every_route() {
    let studio = studio().await;
    let (owner, stranger) = (studio.user("owner").await, studio.user("stranger").await);
    owner.conversation("private", &["My secret", "Kept"]).await;
    let (before, nothing) = (view(&owner).await, view(&stranger).await);
    let body = json!({"id": "private", "title": "Mine now", "messages": [], "userId": owner.id});
    let message = json!({"role": "user", "content": "Mine now"});
    for (method, rest, body) in [
        (Method::GET, "", Value::Null),
        (Method::GET, "?messages=1&branch=all", Value::Null),
        (Method::PUT, "", body),
        (Method::PATCH, "", json!({"title": "Mine now", "model": "m", "pinned": true})),
        (Method::PATCH, "", json!({"pinned": true})),
        (Method::PATCH, "", json!({"currentMessageId": "m0"})),
        (Method::GET, "/messages", Value::Null),
        (Method::POST, "/messages", message.clone()),
        (Method::PATCH, "/messages/m0", json!({"content": "Mine now"})),
        (Method::DELETE, "/messages/m0", Value::Null),
        (Method::POST, "/fork", json!({"messageId": "m0"})),
        (Method::GET, "/export", Value::Null),
        (Method::GET, "/export?format=markdown", Value::Null),
        (Method::DELETE, "", Value::Null),
    ] {
        let path = |id: &str| format!("/api/conversations/{id}{rest}");
        let there = ask(&stranger, &method, &path("private"), &body).await;
        let absent = ask(&stranger, &method, &path("absent"), &without_id(&body)).await;
        assert_eq!((there.status, absent.status), (404, 404), "{method} {rest}: {}", there.text);
        assert_eq!(there.body["detail"], absent.body["detail"], "{method} {rest}: the answers are the same");
    }
    let exported = stranger.get("/api/export").await.expect(200).body;
    assert_eq!(exported["conversations"], json!([]));
    for body in [json!({"ids": ["private"]}), json!({"all": true})] {
        let nothing = stranger.post("/api/conversations/delete", &body).await.expect(200);
        assert_eq!(nothing.body["deleted"], 0, "{}", nothing.text);
    }
    // The keys of the store cannot be reached around through an id.
    for id in [
        format!("{}#private", owner.id),
        format!("../{}/private", owner.id),
        format!("private&user={}", owner.id),
    ] {
        stranger.get(&crate::conversations::path_of(&id)).await.expect(404);
    }
    assert_eq!(view(&owner).await, before);
    assert_eq!(view(&stranger).await, nothing);
    assert_eq!((&nothing[1], &nothing[2]["total_messages"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn the_same_id_is_another_conversation_for_each_user() {
    let studio = studio().await;
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
    // A token decides alone, whatever else a request says.
    let request = alice.request(Method::GET, &format!("{path}?user_id={0}&userId={0}", bob.id));
    let answer = send(request.header("x-user-id", &bob.id)).await.expect(200);
    assert_eq!(answer.body["title"], "Hers");
    bob.delete(path).await.expect(200);
    assert_eq!(alice.get(path).await.expect(200).body["title"], "Hers");
    let mut window = bob.window().await;
    window.send(&json!({"type": "chat", "content": "hello", "conversationId": "hers-too"})).await;
    window.reply().await;
    alice.get("/api/conversations/hers-too").await.expect(404);
    for user in [&alice, &bob] {
        assert_statistics_match(user, &user.username).await;
        let list = user.get("/api/conversations").await.body;
        assert_eq!(list.as_array().unwrap().len(), 1);
        assert_eq!(list[0]["userId"], *user.id);
    }
}
