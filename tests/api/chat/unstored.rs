//! Chat over HTTP: one request, one reply of the offline model, nothing stored.

use serde_json::{Value, json};

use crate::support::{Answer, User, own_studio, shared_studio};

const GREETING: &str = "你好! 我是AI助手，很高兴为你服务!";
const ENGLISH_GREETING: &str = "Hello! I am your AI assistant, glad to help.";

async fn chat(user: &User, content: &str, more: Value) -> Answer {
    let mut body = json!({"messages": [{"id": "m1", "role": "user", "content": content, "timestamp": 1}]});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    user.post("/api/chat", &body).await
}

#[tokio::test]
async fn the_offline_model_greets_helps_and_echoes_in_both_languages() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let both = format!("{ENGLISH_GREETING} {GREETING}");
    for (asked, greeting) in [
        ("hello", both.as_str()),
        ("HeLLo there", &both),
        ("你好", GREETING),
        ("请问，你好吗？", GREETING),
        ("help, hello", &both),
        ("你好 Hello", &both),
    ] {
        let answer = chat(&user, asked, json!({})).await.expect(200);
        let body = &answer.body;
        assert_eq!(
            (&body["content"], &body["model"]),
            (&json!(greeting), &json!("gpt-3.5-turbo")),
            "{asked}"
        );
        assert_eq!(body["finish_reason"], "stop");
        assert!(body["tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{}", answer.text);
        assert_eq!(body.as_object().unwrap().len(), 4, "{}", answer.text);
    }
    let help = chat(&user, "help", json!({})).await.expect(200).body;
    assert!(!help["content"].as_str().unwrap().contains(GREETING), "{help}");
    for asked in ["I need HELP", "帮助", "请帮助我"] {
        assert_eq!(chat(&user, asked, json!({})).await.expect(200).body, help, "{asked}");
    }
    for asked in ["The weather?", "天气怎么样", "a\0b 🎉\n\"quoted\""] {
        let answer = chat(&user, asked, json!({})).await.expect(200);
        assert!(answer.body["content"].as_str().unwrap().contains(asked), "{}", answer.text);
    }
    // The offline model answers the last message of the user, even if others follow.
    let said = |role: &str, content: &str| json!({"role": role, "content": content});
    let messages = [
        said("system", "hello"),
        said("user", "hello"),
        said("user", "newest words"),
        said("assistant", "help"),
    ];
    let answer = user.post("/api/chat", &json!({"messages": messages, "userId": "x"})).await.expect(200);
    assert!(answer.body["content"].as_str().unwrap().contains("newest words"), "{}", answer.text);
}

#[tokio::test]
async fn model_temperature_and_max_tokens_are_accepted_within_their_bounds() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    for good in [
        json!({"temperature": 0}),
        json!({"temperature": 2}),
        json!({"temperature": 0.7}),
        json!({"temperature": 5e-324, "conversationId": "c"}),
        json!({"temperature": null}),
        json!({"max_tokens": 131_072}),
        json!({"max_tokens": 4096}),
        json!({"max_tokens": null}),
        json!({"model": null}),
        json!({"stream": true}),
        json!({"stream": false}),
        json!({"unknown": {"a": [1]}}),
    ] {
        assert_eq!(chat(&user, "你好", good.clone()).await.expect(200).body["content"], GREETING, "{good}");
    }
    for model in ["claude-3-opus", "模型 🎉", &"x".repeat(128)] {
        assert_eq!(chat(&user, "hello", json!({"model": model})).await.expect(200).body["model"], *model);
    }
    for (field, bad) in [
        ("temperature", json!(-0.1)),
        ("temperature", json!(2.1)),
        ("temperature", json!(1e300)),
        ("temperature", json!("1")),
        ("max_tokens", json!(0)),
        ("max_tokens", json!(-1)),
        ("max_tokens", json!(131_073)),
        ("max_tokens", json!(1.5)),
        ("max_tokens", json!(4_294_967_297_u64)),
        ("max_tokens", json!("9")),
        ("model", json!("")),
        ("model", json!("x".repeat(129))),
        ("model", json!("a\nb")),
        ("model", json!(7)),
    ] {
        let answer = chat(&user, "hello", json!({field: bad})).await.expect(422);
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.text);
    }
    let blank = json!({"role": "user", "content": " \n\u{3000}"});
    for messages in [json!([]), json!([blank]), json!([{"role": "assistant", "content": "hello"}])] {
        let answer = user.post("/api/chat", &json!({"messages": messages})).await.expect(422);
        assert_eq!(answer.body["errors"][0]["field"], "messages", "{}", answer.text);
    }
}

#[tokio::test]
async fn a_reply_ends_at_max_tokens() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let whole = chat(&user, "/tokens 50", json!({})).await.expect(200).body;
    let words: Vec<&str> = whole["content"].as_str().unwrap().split_whitespace().collect();
    assert_eq!((words.len(), &whole["tokens"], &whole["finish_reason"]), (50, &json!(50), &json!("stop")));
    for (most, tokens, reason) in [(1, 1, "length"), (49, 49, "length"), (50, 50, "stop"), (51, 50, "stop")] {
        let cut = chat(&user, "/tokens 50", json!({"max_tokens": most})).await.expect(200).body;
        assert_eq!((&cut["tokens"], &cut["finish_reason"]), (&json!(tokens), &json!(reason)), "{cut}");
        let content = cut["content"].as_str().unwrap();
        assert_eq!(content.split_whitespace().count(), tokens);
        assert!(whole["content"].as_str().unwrap().starts_with(content));
    }
    let default = chat(&user, "/tokens 2100", json!({})).await.expect(200).body;
    assert_eq!((&default["tokens"], &default["finish_reason"]), (&json!(2048), &json!("length")));
}

#[tokio::test]
async fn a_chat_without_a_conversation_stores_nothing() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    let before = user.get("/api/stats/detailed").await.expect(200).body;
    studio.reset_meter();
    for _ in 0..3 {
        chat(&user, "remember this", json!({"id": "c"})).await.expect(200);
    }
    assert_eq!(user.get("/api/conversations").await.expect(200).body, json!([]));
    assert_eq!(user.get("/api/stats/detailed").await.expect(200).body, before);
    assert_eq!(before["basic"]["total_messages"], 0);
}
