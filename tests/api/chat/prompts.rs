//! The messages that models get: none blank, as many as fit, with room for the answer.

use serde_json::{Value, json};

use crate::support::provider::{Asked, Protocol, Provider, refusal, studio_of};
use crate::support::{User, eventually};

const BOTH: [Protocol; 2] = [Protocol::OpenAi, Protocol::Anthropic];

/// The texts of a request to a provider, in order.
fn texts(asked: &Asked) -> Vec<String> {
    let text = |content: &Value| match content.as_str() {
        Some(text) => vec![text.to_owned()],
        None => content
            .as_array()
            .unwrap()
            .iter()
            .map(|block| block["text"].as_str().unwrap().to_owned())
            .collect(),
    };
    asked.body["messages"].as_array().unwrap().iter().flat_map(|message| text(&message["content"])).collect()
}

async fn ask(user: &User, conversation: &str, model: &str, content: &str) -> Value {
    let mut connection = user.connect().await;
    connection
        .send(&json!({"type": "chat", "conversationId": conversation, "content": content, "model": model}))
        .await;
    loop {
        let frame = connection.next_any().await;
        if frame["type"] == "chat_complete" || frame["type"] == "chat_error" {
            return frame;
        }
    }
}

#[tokio::test]
async fn after_a_failed_turn_the_conversation_continues_and_blank_messages_are_not_sent() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    for protocol in BOTH {
        let id = format!("{protocol:?}");
        provider.script([refusal(400, Vec::new())]);
        assert_eq!(ask(&user, &id, protocol.model(), "one").await["status"], "failed");
        assert_eq!(ask(&user, &id, protocol.model(), "two").await["status"], "complete");
        let asked = provider.asked();
        assert_eq!(texts(asked.last().unwrap()), ["one", "two"], "{protocol:?}");
        let said = |role: &str, content: &str| json!({"role": role, "content": content});
        let messages = [
            said("system", " \n"),
            said("user", "  one "),
            said("assistant", ""),
            said("user", "\t"),
            said("assistant", "two \n"),
        ];
        let body = json!({"messages": messages, "model": protocol.model()});
        user.post("/api/chat", &body).await.expect(200);
        let last = if protocol == Protocol::Anthropic { "two" } else { "two \n" };
        let asked = provider.asked();
        assert_eq!(texts(&asked[0]), ["  one ", last], "{protocol:?}");
        assert!(asked[0].body.get("system").is_none(), "{}", asked[0].body);
    }
}

#[tokio::test]
async fn a_fallback_model_gets_as_much_history_as_fits_its_context() {
    let provider = Provider::start().await;
    let small = r#"[{"id": "small", "provider": "openai", "context_window": 8192, "max_output": 1024}]"#;
    let studio = studio_of(&provider, &[("MODELS", small), ("FALLBACK_MODEL", "small")]).await;
    let user = studio.user("alice").await;
    let long = "word ".repeat(4000);
    let texts_before: Vec<&str> = (0..20).map(|_| long.as_str()).collect();
    user.conversation("c", &texts_before).await;
    provider.script((0..3).map(|_| refusal(500, Vec::new())));
    let complete = ask(&user, "c", "gpt-4.1", "and now?").await;
    assert_eq!((&complete["content"], &complete["model"]), (&json!("and now?"), &json!("small")));
    let asked = provider.asked();
    let tokens = |asked: &Asked| texts(asked).iter().map(|text| text.len() / 4).sum::<usize>();
    assert_eq!((asked.len(), &asked[3].body["model"]), (4, &json!("small")));
    assert!(tokens(&asked[0]) > 90_000 && tokens(&asked[3]) < 8192 - 1024, "{}", tokens(&asked[3]));
    assert_eq!(asked[3].body["max_tokens"], 1024);
    let left_out = complete["leftOut"].as_u64().unwrap();
    assert_eq!(texts(&asked[3]).len() as u64 + left_out, 21);
    // The input that the first model did not read is not charged.
    let usage = eventually("all is settled", async || {
        let usage = user.get("/api/usage").await.expect(200).body;
        (usage["today"]["running"] == 0).then_some(usage)
    })
    .await;
    assert!(usage["models"]["small"]["input_tokens"].as_u64() < Some(8192), "{usage}");
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "model": "gpt-4.1"});
    provider.script((0..3).map(|_| refusal(500, Vec::new())));
    let answer = user.post("/api/chat", &body).await.expect(200).body;
    assert!(answer.get("left_out").is_none() && answer["model"] == "small", "{answer}");
}

#[tokio::test]
async fn a_reasoning_model_gets_a_larger_token_limit_unless_the_client_sets_one() {
    let provider = Provider::start().await;
    let more = r#"[{"id": "thinker", "provider": "openai", "capabilities": ["reasoning"]}]"#;
    let studio = studio_of(&provider, &[("MODELS", more)]).await;
    let user = studio.user("alice").await;
    let loose = |model: &str, more: Value| {
        let mut body = json!({"messages": [{"role": "user", "content": "hi"}], "model": model});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        body
    };
    user.post("/api/chat", &loose("thinker", json!({}))).await.expect(200);
    user.post("/api/chat", &loose("thinker", json!({"max_tokens": 100}))).await.expect(200);
    user.post("/api/chat", &loose("gpt-4o", json!({}))).await.expect(200);
    ask(&user, "c", "thinker", "hi").await;
    let asked = provider.asked();
    let limits: Vec<&Value> =
        asked.iter().take(4).map(|asked| &asked.body["max_completion_tokens"]).collect();
    assert_eq!(limits, [&json!(16_384), &json!(100), &Value::Null, &json!(16_384)]);
    assert_eq!(asked[2].body["max_tokens"], 2048);
}
