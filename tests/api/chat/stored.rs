//! `POST /api/chat` with a `conversationId`: stored turns for clients that wait or read the reply later.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::provider::{Act, Ending, Protocol, Provider, studio_of};
use crate::support::{Answer, User, eventually, read, send, shared_studio, studio_with};

fn turn(conversation: &str, id: &str, content: &str) -> Value {
    json!({"conversationId": conversation, "messages": [{"id": id, "role": "user", "content": content}]})
}

async fn later(user: &User, body: &Value) -> Answer {
    send(user.request(Method::POST, "/api/chat").header("prefer", "respond-async").json(body)).await
}

#[tokio::test]
async fn a_stored_turn_is_answered_stored_and_pushed_to_connections() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let answer = user.post("/api/chat", &turn("c", "m1", "/tokens 5")).await.expect(200).body;
    let reply = read(&user, "c").await["messages"][1].clone();
    let expected = json!({"conversationId": "c", "messageId": reply["id"], "content": "1 2 3 4 5 ", "tokens": 5,
        "model": "gpt-3.5-turbo", "finish_reason": "stop"});
    assert_eq!(answer, expected);
    assert_eq!(connection.next("chat_complete").await["content"], answer["content"]);
    // Sending the request again does not repeat the turn.
    let again = user.post("/api/chat", &turn("c", "m1", "/tokens 5")).await.expect(200).body;
    assert_eq!(again, answer);
    assert_eq!(read(&user, "c").await["messages"].as_array().unwrap().len(), 2);
    let basic = user.get("/api/stats").await.expect(200).body;
    assert_eq!((&basic["total_messages"], &basic["total_tokens"]), (&json!(2), &json!(5)));
    // The last message is the turn, so it must be the user's.
    let bad = json!({"conversationId": "c", "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]});
    user.post("/api/chat", &bad).await.expect(422);
}

#[tokio::test]
async fn the_stored_history_is_sent_to_the_model() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    let mut conversation = user.conversation("c", &["one", "two"]).await;
    conversation["model"] = json!("gpt-4o");
    conversation["systemPrompt"] = json!("Be brief.");
    user.put("/api/conversations/c", &conversation).await.expect(200);
    let mut body = turn("c", "m9", "three");
    body["messages"] = json!([{"role": "user", "content": "made up"}, body["messages"][0]]);
    user.post("/api/chat", &body).await.expect(200);
    let said = |role: &str, content: &str| json!({"role": role, "content": content});
    let expected =
        [said("system", "Be brief."), said("user", "one"), said("assistant", "two"), said("user", "three")];
    assert_eq!(provider.asked()[0].body["messages"], json!(expected));
}

#[tokio::test]
async fn a_client_may_leave_and_read_the_reply_later() {
    let studio = studio_with(|options| options.variable("OFFLINE_TOKEN_DELAY_MS", "5")).await;
    let user = studio.user("alice").await;
    let accepted = later(&user, &turn("c/1", "m1", "/tokens 100")).await.expect(202);
    assert_eq!(accepted.header("preference-applied"), "respond-async");
    assert_eq!(
        (&accepted.body["status"], &accepted.body["conversationId"]),
        (&json!("pending"), &json!("c/1"))
    );
    let path = accepted.header("location").to_owned();
    let reply = eventually("the reply is there", async || {
        let reply = user.get(&path).await.expect(200).body["messages"][1].clone();
        (reply["status"] == "complete").then_some(reply)
    })
    .await;
    assert_eq!((&reply["id"], &reply["tokens"]), (&accepted.body["messageId"], &json!(100)));
    let again = later(&user, &turn("c/1", "m1", "/tokens 100")).await.expect(202);
    assert_eq!((&again.body["messageId"], &again.body["status"]), (&reply["id"], &json!("complete")));
    // Without a conversation the reply cannot be read later, so the request waits for it.
    later(&user, &json!({"messages": [{"role": "user", "content": "hi"}]})).await.expect(200);
}

#[tokio::test]
async fn after_25_seconds_the_answer_holds_the_text_so_far() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o")]).await;
    let user = studio.user("alice").await;
    let slowly = || {
        let protocol = Protocol::OpenAi;
        let parts = (0..100).map(|_| protocol.text("word ").into_bytes()).collect();
        Act::Stream(parts, std::time::Duration::from_millis(500), Ending::Never)
    };
    provider.script([slowly(), slowly()]);
    let stored = async { user.post("/api/chat", &turn("c", "m1", "slowly")).await };
    let loose = json!({"messages": [{"role": "user", "content": "slowly"}]});
    let (stored, loose) = tokio::join!(stored, user.post("/api/chat", &loose));
    for answer in [stored, loose] {
        let body = answer.expect(200).body;
        assert_eq!(body["finish_reason"], "deadline");
        assert!(body["content"].as_str().unwrap().len() > 5 * 40, "{body}");
    }
    let reply = read(&user, "c").await["messages"][1].clone();
    assert_eq!(reply["status"], "interrupted");
    assert!(reply["content"].as_str().unwrap().len() > 5 * 40, "{reply}");
    eventually("both requests are ended", async || (provider.left() == 2).then_some(())).await;
}

#[tokio::test]
async fn history_that_does_not_fit_the_model_is_left_out_and_reported() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    // Each message is about 1,500 tokens, and the model takes 8,192.
    let long = "word ".repeat(1200);
    let texts: Vec<&str> = (0..10).map(|_| long.as_str()).collect();
    user.conversation("c", &texts).await;
    let mut body = turn("c", "m99", "and now?");
    body["model"] = json!("gpt-4");
    body["max_tokens"] = json!(1000);
    let answer = user.post("/api/chat", &body).await.expect(200).body;
    let left_out = answer["left_out"].as_u64().unwrap();
    let sent = provider.asked()[0].body["messages"].as_array().unwrap().clone();
    assert!(left_out >= 4 && left_out % 2 == 0, "{left_out}");
    assert_eq!((sent.len() as u64 + left_out, &sent[0]["role"]), (11, &json!("user")));
    assert_eq!(sent.last().unwrap()["content"], "and now?");
    let mut connection = user.connect().await;
    let chat = json!({"type": "chat", "conversationId": "c", "content": "more", "model": "gpt-4", "max_tokens": 1000});
    let (_, complete) = connection.chat(&chat).await;
    assert_eq!(complete["leftOut"], left_out, "the beginning stays the same");
    let next = provider.asked()[0].body["messages"].as_array().unwrap().clone();
    assert_eq!(next[..sent.len()], sent);
}

#[tokio::test]
async fn a_new_conversation_is_titled_from_its_first_exchange_unless_its_user_named_it() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o")]).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let protocol = Protocol::OpenAi;
    let title = || protocol.answer(&["\"A trip ", "to Lisbon.\"\n"]);
    let first = "I would like to go to Lisbon in May with two children";
    provider.script([protocol.answer(&["Nice."])]);
    provider.script_titles([title()]);
    connection.chat(&json!({"type": "chat", "conversationId": "c", "content": first})).await;
    let told = connection.next("chat_title").await;
    assert_eq!(told, json!({"type": "chat_title", "conversationId": "c", "title": "A trip to Lisbon"}));
    assert_eq!(read(&user, "c").await["title"], "A trip to Lisbon");
    let asked = provider.asked();
    assert!(asked[1].body["max_tokens"].as_u64() <= Some(64), "{}", asked[1].body);
    let usage = user.get("/api/usage").await.expect(200).body;
    assert_eq!(usage["models"]["gpt-4o"]["replies"], 2, "{usage}");
    // The second exchange changes nothing.
    connection.chat(&json!({"type": "chat", "conversationId": "c", "content": "and Porto?"})).await;
    assert_eq!(provider.asked().len(), 1);
    // A title that the user sets meanwhile stays.
    provider.script([protocol.answer(&["Nice."])]);
    provider.script_titles([Act::Stream(
        vec![protocol.whole(&["Another title"]).into_bytes()],
        std::time::Duration::from_millis(800),
        Ending::Proper,
    )]);
    connection.chat(&json!({"type": "chat", "conversationId": "d", "content": first})).await;
    let mut named = read(&user, "d").await;
    named["title"] = json!("Mine");
    user.put("/api/conversations/d", &named).await.expect(200);
    eventually("the title was asked for and settled", async || {
        let usage = user.get("/api/usage").await.expect(200).body;
        (usage["today"]["replies"] == 5).then_some(())
    })
    .await;
    assert_eq!(read(&user, "d").await["title"], "Mine");
    // The same over HTTP.
    provider.script([protocol.answer(&["Nice."])]);
    provider.script_titles([title()]);
    user.post("/api/chat", &turn("e", "m1", first)).await.expect(200);
    eventually("it is called so", async || {
        (read(&user, "e").await["title"] == "A trip to Lisbon").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_repeated_message_id_is_the_same_turn_or_refused_if_its_text_differs() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let ask = |content: &str| json!({"messages": [{"id": "m1", "role": "user", "content": content}], "conversationId": "c"});
    let first = user.post("/api/chat", &ask("hello")).await.expect(200).body;
    let again = user.post("/api/chat", &ask("hello")).await.expect(200).body;
    assert_eq!(again["messageId"], first["messageId"]);
    assert_eq!(user.post("/api/chat", &ask("goodbye")).await.expect(409).body["code"], "message_exists");
    let mut connection = user.connect().await;
    let say = |content: &str| json!({"type": "chat", "content": content, "conversationId": "c", "id": "m1"});
    connection.send(&say("hello")).await;
    assert_eq!(connection.next("chat_accepted").await["messageId"], first["messageId"]);
    connection.next("chat_complete").await;
    connection.send(&say("goodbye")).await;
    let refused = connection.next_any().await;
    assert_eq!(
        (&refused["type"], &refused["code"]),
        (&json!("chat_error"), &json!("message_exists")),
        "{refused}"
    );
    // The same while the reply is running.
    let say = |content: &str| json!({"type": "chat", "content": content, "conversationId": "d", "id": "m1"});
    connection.send(&say("/tokens 300")).await;
    connection.next("chat_accepted").await;
    connection.send(&say("/tokens 301")).await;
    assert_eq!(connection.next("chat_error").await["code"], "message_exists");
    connection.next("chat_complete").await;
    let shown = user.get("/api/conversations/d").await.expect(200).body;
    assert_eq!(shown["messages"].as_array().unwrap().len(), 2);
}
