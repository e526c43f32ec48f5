//! Another reply to the same words.

use serde_json::{Value, json};

use crate::actors::{User, studio};
use crate::provider::{Protocol, Provider};
use crate::providers::studio_of;

async fn messages(user: &User) -> Vec<Value> {
    let read = user.get("/api/conversations/c").await.expect(200).body;
    read["messages"].as_array().unwrap().clone()
}

#[tokio::test]
async fn another_reply_stands_beside_the_first_and_is_the_one_that_shows() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o")]).await;
    let user = studio.user("alice").await;
    user.post("/api/conversations", &json!({"id": "c", "title": "Named", "model": "gpt-4o"}))
        .await
        .expect(200);
    let mut window = user.window().await;
    let protocol = Protocol::OpenAi;
    provider.script([protocol.answer(&["first"]), protocol.answer(&["second"])]);
    let chat = json!({"type": "chat", "conversationId": "c", "content": "tell me"});
    let (_, first) = window.chat(&chat).await;
    let again = json!({"type": "regenerate", "conversationId": "c", "messageId": first["messageId"]});
    let (text, second) = window.chat(&again).await;
    assert_eq!(text, "second");
    assert_ne!(second["messageId"], first["messageId"]);
    let shown = messages(&user).await;
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!((&shown[1]["id"], &shown[1]["content"]), (&second["messageId"], &json!("second")));
    // The model is told the same as before, without its first reply.
    let asked = provider.asked();
    assert_eq!(asked[0].body["messages"], asked[1].body["messages"]);
    let all = user.get("/api/conversations/c?branch=all").await.expect(200).body;
    assert_eq!(all["messages"].as_array().unwrap().len(), 3, "{all}");
    let basic = user.get("/api/stats").await.expect(200).body;
    assert_eq!(basic["total_messages"], 3);
    let (next, _) = window.chat(&json!({"type": "chat", "conversationId": "c", "content": "go on"})).await;
    assert_eq!(next, "go on");
    let told = &provider.asked()[0].body["messages"];
    assert_eq!((told.as_array().unwrap().len(), &told[1]["content"]), (3, &json!("second")));
}

#[tokio::test]
async fn only_replies_of_ones_own_are_made_again() {
    let studio = studio().await;
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    let (mut hers, mut his) = (alice.window().await, bob.window().await);
    let (_, reply) =
        hers.chat(&json!({"type": "chat", "id": "m1", "conversationId": "c", "content": "hi"})).await;
    let before = messages(&alice).await;
    let again = |message: &Value| json!({"type": "regenerate", "conversationId": "c", "messageId": message});
    his.send(&again(&reply["messageId"])).await;
    assert_eq!(his.next_any().await["code"], "not_found");
    for (message, code) in [(json!("absent"), "not_found"), (json!("m1"), "invalid")] {
        hers.send(&again(&message)).await;
        assert_eq!(hers.next_any().await["code"], code);
    }
    hers.send(&json!({"type": "regenerate", "messageId": reply["messageId"]})).await;
    assert_eq!(hers.next_any().await["code"], "invalid");
    assert_eq!(messages(&alice).await, before);
}
