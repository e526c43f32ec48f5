//! Regenerating a reply.

use serde_json::{Value, json};

use crate::support::provider::{Protocol, Provider, studio_of};
use crate::support::{User, shared_studio};

async fn messages(user: &User) -> Vec<Value> {
    let read = user.get("/api/conversations/c").await.expect(200).body;
    read["messages"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_regenerated_reply_is_kept_beside_the_first_and_shown() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o")]).await;
    let user = studio.user("alice").await;
    user.post("/api/conversations", &json!({"id": "c", "title": "Named", "model": "gpt-4o"}))
        .await
        .expect(200);
    let mut connection = user.connect().await;
    let protocol = Protocol::OpenAi;
    provider.script([protocol.answer(&["first"]), protocol.answer(&["second"])]);
    let chat = json!({"type": "chat", "conversationId": "c", "content": "tell me"});
    let (_, first) = connection.chat(&chat).await;
    let again = json!({"type": "regenerate", "conversationId": "c", "messageId": first["messageId"]});
    let (text, second) = connection.chat(&again).await;
    assert_eq!(text, "second");
    assert_ne!(second["messageId"], first["messageId"]);
    let shown = messages(&user).await;
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!((&shown[1]["id"], &shown[1]["content"]), (&second["messageId"], &json!("second")));
    // The model gets the prompt again, without its first reply.
    let asked = provider.asked();
    assert_eq!(asked[0].body["messages"], asked[1].body["messages"]);
    let all = user.get("/api/conversations/c?branch=all").await.expect(200).body;
    assert_eq!(all["messages"].as_array().unwrap().len(), 3, "{all}");
    let basic = user.get("/api/stats").await.expect(200).body;
    assert_eq!(basic["total_messages"], 3);
    let (next, _) =
        connection.chat(&json!({"type": "chat", "conversationId": "c", "content": "go on"})).await;
    assert_eq!(next, "go on");
    let told = &provider.asked()[0].body["messages"];
    assert_eq!((told.as_array().unwrap().len(), &told[1]["content"]), (3, &json!("second")));
}

#[tokio::test]
async fn a_reply_can_be_regenerated_with_another_model_and_other_parameters() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o")]).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let (_, first) =
        connection.chat(&json!({"type": "chat", "conversationId": "c", "content": "tell me"})).await;
    let mut again = json!({"type": "regenerate", "conversationId": "c", "messageId": first["messageId"],
        "model": "claude-sonnet-4-5", "temperature": 0.25, "max_tokens": 77});
    provider.asked();
    let (_, second) = connection.chat(&again).await;
    assert_eq!(second["model"], "claude-sonnet-4-5");
    let asked = provider.asked().into_iter().find(|asked| asked.path.ends_with("/messages")).unwrap().body;
    let sent = ["model", "temperature", "max_tokens"].map(|name| asked[name].clone());
    assert_eq!(sent, [json!("claude-sonnet-4-5"), json!(0.25), json!(77)]);
    assert_eq!(messages(&user).await[1]["model"], "claude-sonnet-4-5");
    // Without parameters, the model of the existing reply and the defaults apply.
    let plain = json!({"type": "regenerate", "conversationId": "c", "messageId": second["messageId"]});
    connection.chat(&plain).await;
    let asked = &provider.asked()[0].body;
    let sent = ["model", "temperature", "max_tokens"].map(|name| asked[name].clone());
    assert_eq!(sent, [json!("claude-sonnet-4-5"), json!(0.7), json!(2048)]);
    let before = messages(&user).await;
    for (name, value, code) in [
        ("model", json!("made-up"), "unknown_model"),
        ("temperature", json!(2.5), "invalid"),
        ("max_tokens", json!(0), "invalid"),
    ] {
        let good = std::mem::replace(&mut again[name], value);
        connection.send(&again).await;
        let refused = connection.next("chat_error").await;
        assert_eq!(refused["code"], code, "{refused}");
        assert!(refused["detail"].as_str().unwrap().starts_with(name), "{refused}");
        again[name] = good;
    }
    assert_eq!(messages(&user).await, before);
}

#[tokio::test]
async fn only_own_replies_can_be_regenerated() {
    let studio = shared_studio().await;
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    let (mut hers, mut his) = (alice.connect().await, bob.connect().await);
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

#[tokio::test]
async fn an_edited_question_is_kept_beside_the_first_with_its_own_reply() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o")]).await;
    let user = studio.user("alice").await;
    user.conversation("c", &[]).await;
    let mut connection = user.connect().await;
    let ask = |id: &str, content: &str| json!({"type": "chat", "conversationId": "c", "id": id, "content": content});
    let behind = |parent: &Value, id: &str, content: &str| {
        let mut frame = ask(id, content);
        frame["parentId"] = parent.clone();
        frame
    };
    let (_, first) = connection.chat(&ask("q1", "one")).await;
    connection.chat(&ask("q2", "two")).await;
    provider.asked();
    let otherwise = behind(&first["messageId"], "q3", "two, otherwise");
    let (_, third) = connection.chat(&otherwise).await;
    let told = &provider.asked()[0].body["messages"];
    let said: Vec<_> = told.as_array().unwrap().iter().map(|message| &message["content"]).collect();
    assert_eq!(said, ["one", "one", "two, otherwise"], "the model knows nothing of the other branch");
    let shown = messages(&user).await;
    let ids: Vec<_> = shown.iter().map(|message| &message["id"]).collect();
    assert_eq!(ids, [&json!("q1"), &first["messageId"], &json!("q3"), &third["messageId"]]);
    let (_, again) = connection.chat(&otherwise).await;
    assert_eq!(again["messageId"], third["messageId"], "the same turn again is the same turn");
    connection.chat(&behind(&Value::Null, "q4", "from the beginning")).await;
    assert_eq!(messages(&user).await.len(), 2);
    let list = user.get("/api/conversations?view=summary").await.expect(200).body;
    assert_eq!(list[0]["message_count"], 2);
    let all = user.get("/api/conversations/c?branch=all").await.expect(200).body;
    assert_eq!(all["messages"].as_array().unwrap().len(), 8, "{all}");
    connection.send(&behind(&json!("absent"), "q5", "x")).await;
    let refused = connection.next("chat_error").await;
    assert_eq!((&refused["code"], &refused["id"]), (&json!("invalid"), &json!("q5")), "{refused}");
    assert!(refused["detail"].as_str().unwrap().starts_with("parentId"), "{refused}");
    assert_eq!(user.get("/api/stats").await.expect(200).body["total_messages"], 8);
}
