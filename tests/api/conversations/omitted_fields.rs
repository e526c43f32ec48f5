//! Omitted fields do not erase stored values.

use serde_json::{Value, json};

use crate::support::shared_studio;

const PATH: &str = "/api/conversations/c";

#[tokio::test]
async fn a_put_without_messages_is_refused_and_erases_nothing() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let before = user.conversation("c", &["one", "two"]).await;
    for body in [
        json!({"title": "T"}),
        json!({"title": "T", "messages": null}),
        json!({"title": "T", "messages": {}}),
        json!({"title": "T", "Messages": []}),
        json!({}),
        json!([]),
    ] {
        user.put(PATH, &body).await.expect(422);
        assert_eq!(user.get(PATH).await.expect(200).body, before, "after {body}");
    }
    let missing = user.put(PATH, &json!({"title": "T"})).await.expect(422);
    assert_eq!(missing.body["detail"], "The body must have the field `messages`");
    // A client that wants to erase a value sends null.
    user.put(PATH, &json!({"title": "T", "messages": []})).await.expect(200);
    assert_eq!(user.get(PATH).await.expect(200).body["messages"], json!([]));
}

#[tokio::test]
async fn fields_that_a_put_omits_keep_their_values() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let before = user.conversation("c", &["one", "two"]).await;
    let mut body = json!({"title": "Another", "messages": [
        {"id": "m0", "role": "user", "content": "one"},
        {"id": "m1", "role": "assistant", "content": "Changed"},
        {"id": "m2", "role": "user", "content": "New"}]});
    let after = user.put(PATH, &body).await.expect(200).body;
    for field in ["createdAt", "model"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    for place in 0..2 {
        let timestamp = |conversation: &Value| conversation["messages"][place]["timestamp"].clone();
        assert_eq!(timestamp(&after), timestamp(&before), "of message {place}");
    }
    assert_eq!(user.get(PATH).await.expect(200).body, after);
    body["createdAt"] = json!(5);
    body["model"] = json!("m");
    body["messages"][0]["timestamp"] = json!(7);
    let after = user.put(PATH, &body).await.expect(200).body;
    assert_eq!((&after["createdAt"], &after["model"]), (&json!(5), &json!("m")));
    assert_eq!(after["messages"][0]["timestamp"], 7);
}
