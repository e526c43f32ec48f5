//! The reservation of a turn covers the prompt that will be sent, however the conversation was created.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::provider::{Provider, studio_of};
use crate::support::{TestStudio, User, eventually};

/// About 2,000 tokens.
fn long(number: usize) -> String {
    format!("{number:04}{}", "word ".repeat(1600))
}

fn messages(count: usize) -> Vec<Value> {
    let role = |number: usize| if number.is_multiple_of(2) { "user" } else { "assistant" };
    (0..count)
        .map(|number| json!({"id": format!("m{number}"), "role": role(number), "content": long(number)}))
        .collect()
}

fn conversation(messages: &[Value]) -> Value {
    json!({"id": "c", "title": "Long", "model": "gpt-4o", "messages": messages})
}

async fn usage_of(user: &User) -> Value {
    eventually("all is settled", async || {
        let usage = user.get("/api/usage").await.expect(200).body;
        (usage["today"]["running"] == 0).then_some(usage)
    })
    .await
}

async fn small(user: &User) {
    user.post("/api/conversations", &conversation(&[json!({"id": "m0", "role": "user", "content": "hi"})]))
        .await
        .expect(200);
    let ask =
        json!({"messages": [{"role": "user", "content": "hi"}], "conversationId": "c", "max_tokens": 100});
    user.post("/api/chat", &ask).await.expect(200);
}

/// Creates the conversation `c` of about 120,000 tokens in one of several ways.
async fn grow(user: &User, how: &str) {
    match how {
        "created" => drop(user.post("/api/conversations", &conversation(&messages(60))).await.expect(200)),
        "imported" => drop(user.post("/api/import", &json!([conversation(&messages(60))])).await.expect(200)),
        "replaced" => {
            small(user).await;
            user.put("/api/conversations/c", &conversation(&messages(60))).await.expect(200);
        }
        "appended" => {
            small(user).await;
            for number in 0..12 {
                let message = json!({"role": "user", "content": long(number)});
                user.post("/api/conversations/c/messages", &message).await.expect(200);
            }
        }
        "edited" => {
            small(user).await;
            let content = "word ".repeat(13_000);
            for _ in 0..2 {
                let message = json!({"role": "user", "content": "short"});
                let id =
                    user.post("/api/conversations/c/messages", &message).await.expect(200).body["id"].clone();
                let path = format!("/api/conversations/c/messages/{}", id.as_str().unwrap());
                user.patch(&path, &json!({"content": content})).await.expect(200);
            }
        }
        _ => panic!("{how}"),
    }
}

/// Sends a turn over HTTP and WebSocket. Both must be refused.
async fn ask(user: &User) {
    let question = json!({"messages": [{"role": "user", "content": "and?"}], "conversationId": "c"});
    let refused = user.post("/api/chat", &question).await.expect(429);
    assert_eq!(refused.body["code"], "limit_reached");
    assert!((1..=86_400).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    let mut connection = user.connect().await;
    connection.send(&json!({"type": "chat", "content": "and?", "conversationId": "c"})).await;
    let accepted = connection.next("chat_accepted").await;
    let refused = connection.next("chat_error").await;
    assert_eq!(
        (&refused["code"], &refused["messageId"]),
        (&json!("limit_reached"), &accepted["messageId"]),
        "{refused}"
    );
    assert!(refused["retry_after"].is_u64(), "{refused}");
    connection
        .send(&json!({"type": "regenerate", "conversationId": "c", "messageId": accepted["messageId"]}))
        .await;
    connection.next("chat_accepted").await;
    assert_eq!(connection.next("chat_error").await["code"], "limit_reached");
}

async fn refused(studio: &TestStudio, how: &str) {
    let user = studio.user(&format!("user_{how}")).await;
    grow(&user, how).await;
    let before = usage_of(&user).await;
    ask(&user).await;
    let after = usage_of(&user).await;
    for count in
        ["input_tokens", "output_tokens", "reserved_tokens", "micro_dollars", "reserved_micro_dollars"]
    {
        assert_eq!(before["today"][count], after["today"][count], "{how}: {count}");
    }
}

#[tokio::test]
async fn a_prompt_larger_than_the_daily_limit_is_never_sent_however_the_conversation_grew() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o"), ("DAILY_TOKENS", "20000")]).await;
    join_all(["created", "imported", "replaced", "appended", "edited"].map(|how| refused(&studio, how)))
        .await;
    let longest = provider.asked().iter().map(|asked| asked.body.to_string().len()).max();
    assert!(longest < Some(5_000), "{longest:?}");
}

#[tokio::test]
async fn a_prompt_larger_than_expected_that_fits_is_reserved_in_full_and_settled() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o"), ("DAILY_TOKENS", "30000")]).await;
    let user = studio.user("alice").await;
    user.post("/api/conversations", &conversation(&messages(10))).await.expect(200);
    let question =
        json!({"messages": [{"role": "user", "content": "and?"}], "conversationId": "c", "max_tokens": 100});
    user.post("/api/chat", &question).await.expect(200);
    let usage = usage_of(&user).await;
    let used =
        usage["today"]["input_tokens"].as_u64().unwrap() + usage["today"]["output_tokens"].as_u64().unwrap();
    assert!(used > 0 && usage["today"]["reserved_tokens"] == 0, "{usage}");
    // A second turn of 20,000 tokens does not fit.
    user.post(
        "/api/conversations",
        &json!({"id": "d", "title": "Long", "model": "gpt-4o", "messages": messages(12)}),
    )
    .await
    .expect(200);
    let question = json!({"messages": [{"role": "user", "content": "and?"}], "conversationId": "d", "max_tokens": 10_000});
    assert_eq!(user.post("/api/chat", &question).await.expect(429).body["code"], "limit_reached");
}
