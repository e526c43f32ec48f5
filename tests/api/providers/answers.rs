//! Requests to providers, and what clients see of their answers and failures.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::provider::{Act, Ending, KEY, Protocol, Provider, proper, refusal, stream, studio_of};
use crate::support::{Answer, TestStudio, User, eventually, studio_with};

const BOTH: [Protocol; 2] = [Protocol::OpenAi, Protocol::Anthropic];

async fn ask(user: &User, protocol: Protocol) -> Answer {
    let messages =
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "one two"}]);
    user.post("/api/chat", &json!({"messages": messages, "model": protocol.model(), "temperature": 1.5}))
        .await
}

/// Fails if a text of the provider or a key is in the answer or in a log.
fn nothing_leaks(studio: &TestStudio, text: &str) {
    let logs: String = ["chat", "replies", "sockets"].iter().flat_map(|name| studio.logs(name)).collect();
    for secret in ["internal-detail", "sk-secret", KEY, "one two"] {
        assert!(!text.contains(secret), "{text}");
        assert!(!logs.contains(secret), "{secret} is in the logs");
    }
}

#[tokio::test]
async fn each_provider_gets_its_own_request_format_and_its_token_count_is_used() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    for protocol in BOTH {
        let answer = ask(&user, protocol).await.expect(200).body;
        let expected =
            json!({"content": "one two", "tokens": 3, "model": protocol.model(), "finish_reason": "stop"});
        assert_eq!(answer, expected);
    }
    let [openai, anthropic] = &provider.asked()[..] else { panic!("two requests") };
    assert!(
        openai.path == "/v1/chat/completions"
            && openai.head.contains(&format!("authorization: bearer {KEY}"))
    );
    let said = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "one two"}]);
    let wanted = json!({"model": "gpt-4o", "messages": said, "stream": true, "stream_options": {"include_usage": true},
        "max_tokens": 2048, "temperature": 1.5});
    assert_eq!(openai.body, wanted);
    assert!(anthropic.path == "/v1/messages" && anthropic.head.contains(&format!("x-api-key: {KEY}")));
    assert!(anthropic.head.contains("anthropic-version: 2023-06-01"));
    let cached = |text: &str| json!([{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]);
    let said = json!([{"role": "user", "content": cached("one two")}]);
    let wanted = json!({"model": "claude-sonnet-4-5", "system": cached("Be brief."), "messages": said, "stream": true,
        "max_tokens": 2048, "temperature": 1.0});
    assert_eq!(anthropic.body, wanted);
}

#[tokio::test]
async fn only_available_models_are_listed() {
    let provider = Provider::start().await;
    let more = r#"[{"id": "llama", "provider": "openai", "upstream": "llama3.2:1b"}]"#;
    let studio = studio_of(&provider, &[("MODELS", more), ("DEFAULT_MODEL", "llama")]).await;
    let user = studio.user("alice").await;
    let list = user.get("/api/models").await.expect(200).body;
    let ids: Vec<&str> =
        list["models"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    for id in ["gpt-4o", "claude-sonnet-4-5", "llama", "offline"] {
        assert!(ids.contains(&id), "{ids:?}");
    }
    assert_eq!((&list["default"], &list["any_name"]), (&json!("llama"), &json!(false)));
    let model = list["models"].as_array().unwrap().iter().find(|model| model["id"] == "gpt-4o").unwrap();
    let price = json!({"input": 2_500_000, "output": 10_000_000, "cached": 1_250_000});
    assert_eq!((&model["price"], &model["context_window"]), (&price, &json!(128_000)), "{model}");
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "model": "made-up"});
    let refused = user.post("/api/chat", &body).await.expect(422).body;
    assert_eq!(refused["code"], "unknown_model");
    assert!(refused["detail"].as_str().unwrap().contains("gpt-4o"), "{refused}");
    let mut connection = user.connect().await;
    connection
        .send(&json!({"type": "chat", "content": "hi", "model": "made-up", "conversationId": "c"}))
        .await;
    let refused = connection.next("chat_error").await;
    assert_eq!((&refused["code"], &refused["retryable"]), (&json!("unknown_model"), &json!(false)));
    user.get("/api/conversations/c").await.expect(404);
    // Without a model the default model answers.
    let (_, complete) = connection.chat(&json!({"type": "chat", "content": "hi"})).await;
    assert_eq!(complete["model"], "llama");
    assert_eq!(provider.asked()[0].body["model"], "llama3.2:1b");
}

#[tokio::test]
async fn without_a_provider_key_the_list_says_that_any_model_name_works() {
    let studio = studio_with(|options| options).await;
    let list = studio.user("alice").await.get("/api/models").await.expect(200).body;
    assert_eq!((&list["any_name"], &list["default"]), (&json!(true), &json!("gpt-3.5-turbo")));
    assert_eq!(list["models"][0]["provider"], "offline");
}

#[tokio::test]
async fn an_answer_is_the_same_however_its_bytes_are_cut() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    let text = "Ünïcode 你好 👩‍👩‍👧 \"quoted\"\n";
    for protocol in BOTH {
        let whole = protocol.whole(&[text, text]).into_bytes();
        for size in [1, 3, 1000] {
            let parts = whole.chunks(size).map(<[u8]>::to_vec).collect();
            provider.script([Act::Stream(parts, Duration::ZERO, Ending::Proper)]);
            let answer = ask(&user, protocol).await.expect(200).body;
            assert_eq!(answer["content"], text.repeat(2), "{protocol:?}, {size} bytes at a time");
        }
        // Without the end mark, the finish reason shows that the answer is complete.
        provider.script([proper([protocol.begin(7), protocol.text(text), protocol.finish("length", 7, 3)])]);
        let answer = ask(&user, protocol).await.expect(200).body;
        assert_eq!((&answer["content"], &answer["finish_reason"]), (&json!(text), &json!("length")));
    }
}

#[tokio::test]
async fn a_failure_is_retried_before_the_first_text_and_never_after_it() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    for protocol in BOTH {
        let malformed = proper([protocol.begin(7), "data: {\"choices\": [\n\n".to_owned()]);
        let failures = [
            refusal(500, Vec::new()),
            refusal(529, Vec::new()),
            Act::Reset,
            proper([protocol.begin(7), protocol.error("overloaded_error")]),
            malformed,
            stream([protocol.begin(7)], Ending::Cut),
        ];
        for failure in failures {
            provider.script([failure.clone(), failure.clone()]);
            let answer = ask(&user, protocol).await.expect(200).body;
            assert_eq!(answer["content"], "one two", "{failure:?}");
            assert_eq!(provider.asked().len(), 3, "{failure:?}");
        }
        let begun = [protocol.begin(7), protocol.text("Half a ")];
        for (what, ending) in [
            (protocol.error("overloaded_error"), Ending::Proper),
            ("data: {\n\n".to_owned(), Ending::Proper),
            (String::from(": nothing\n"), Ending::Proper),
            (String::from(": nothing\n"), Ending::Cut),
        ] {
            provider.script([stream(begun.iter().cloned().chain([what.clone()]), ending)]);
            let answer = ask(&user, protocol).await.expect(200).body;
            assert_eq!(
                (&answer["content"], &answer["finish_reason"]),
                (&json!("Half a "), &json!("interrupted"))
            );
            assert_eq!(provider.asked().len(), 1, "{what}");
        }
    }
    nothing_leaks(&studio, "");
}

#[tokio::test]
async fn a_pause_that_a_provider_asks_for_is_kept() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    provider.script([refusal(429, vec![("retry-after", "1".to_owned())])]);
    ask(&user, Protocol::Anthropic).await.expect(200);
    let asked = provider.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].at - asked[0].at >= Duration::from_secs(1));
    // A pause that is too long is passed on to the client.
    provider.script([refusal(429, vec![("retry-after", "120".to_owned())])]);
    let answer = ask(&user, Protocol::OpenAi).await.expect(503);
    assert_eq!(
        (&answer.body["code"], &answer.body["retry_after"]),
        (&json!("model_overloaded"), &json!(120))
    );
    assert_eq!((answer.header("retry-after"), provider.asked().len()), ("120", 1));
    nothing_leaks(&studio, &answer.text);
}

#[tokio::test]
async fn a_rejected_request_fails_at_once_and_hides_the_error_text_of_the_provider() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    for protocol in BOTH {
        for (upstream, status, code) in [
            (400, 422, "model_refused"),
            (401, 502, "model_misconfigured"),
            (404, 502, "model_misconfigured"),
        ] {
            provider.script([refusal(upstream, Vec::new())]);
            let answer = ask(&user, protocol).await.expect(status);
            assert_eq!(answer.body["code"], code, "{upstream}");
            assert_eq!(provider.asked().len(), 1, "{upstream}");
            nothing_leaks(&studio, &answer.text);
        }
        provider.script([proper([protocol.begin(7), protocol.finish("stop", 7, 0), protocol.done()])]);
        assert_eq!(ask(&user, protocol).await.expect(502).body["code"], "empty_reply");
        assert_eq!(provider.asked().len(), 1, "empty");
    }
}

#[tokio::test]
async fn the_fallback_model_answers_when_the_first_model_does_not_begin() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("FALLBACK_MODEL", "claude-sonnet-4-5")]).await;
    let user = studio.user("alice").await;
    let failing = || (0..3).map(|_| refusal(500, Vec::new()));
    provider.script(failing());
    let answer = ask(&user, Protocol::OpenAi).await.expect(200).body;
    assert_eq!((&answer["model"], &answer["content"]), (&json!("claude-sonnet-4-5"), &json!("one two")));
    assert_eq!(provider.asked().len(), 4);
    provider.script(failing());
    let mut connection = user.connect().await;
    let chat = json!({"type": "chat", "content": "one two", "model": "gpt-4o"});
    let (_, complete) = connection.chat(&chat).await;
    assert_eq!(complete["model"], "claude-sonnet-4-5");
    // There is no second fallback.
    provider.script(failing());
    ask(&user, Protocol::Anthropic).await.expect(502);
}

#[tokio::test]
async fn reasoning_is_sent_apart_from_the_answer_and_not_stored() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    for protocol in BOTH {
        let parts =
            [protocol.begin(7), protocol.thought("Hmm, "), protocol.thought("well."), protocol.text("42")];
        provider.script([proper(parts.into_iter().chain([protocol.finish("stop", 7, 9), protocol.done()]))]);
        let id = format!("{protocol:?}");
        let chat = json!({"type": "chat", "content": "?", "model": protocol.model(), "conversationId": id});
        connection.send(&chat).await;
        let complete = connection.next("chat_complete").await;
        assert_eq!((&complete["content"], &complete["tokens"]), (&json!("42"), &json!(9)));
        let mut thoughts = String::new();
        let count = connection.unasked().iter().filter(|frame| frame["type"] == "chat_reasoning").count();
        for seq in 0..count {
            let thought = connection.next("chat_reasoning").await;
            assert_eq!(thought["seq"], seq);
            thoughts.push_str(thought["content"].as_str().unwrap());
        }
        assert_eq!(thoughts, "Hmm, well.");
        let stored = user.get(&format!("/api/conversations/{id}")).await.expect(200).body;
        assert_eq!(stored["messages"][1]["content"], "42", "{stored}");
        connection.next("chat_chunk").await;
    }
}

#[tokio::test]
async fn a_reply_that_breaks_off_says_why_and_keeps_its_text() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let protocol = Protocol::Anthropic;
    provider.script([proper([
        protocol.begin(7),
        protocol.text("Half a "),
        protocol.error("overloaded_error"),
    ])]);
    let say = |id: &str| json!({"type": "chat", "content": "one two", "model": protocol.model(), "conversationId": id});
    connection.send(&say("half")).await;
    let error = connection.next("chat_error").await;
    let told = ["code", "status", "retryable"].map(|name| error[name].clone());
    assert_eq!(told, [json!("model_overloaded"), json!("interrupted"), json!(true)]);
    provider.script([refusal(429, vec![("retry-after", "60".to_owned())])]);
    connection.send(&say("none")).await;
    let error = connection.next("chat_error").await;
    let told = ["code", "status", "retry_after"].map(|name| error[name].clone());
    assert_eq!(told, [json!("model_overloaded"), json!("failed"), json!(60)]);
    for (id, status, content) in [("half", "interrupted", "Half a "), ("none", "failed", "")] {
        let stored = user.get(&format!("/api/conversations/{id}")).await.expect(200).body;
        let reply = &stored["messages"][1];
        assert_eq!((&reply["status"], &reply["content"]), (&json!(status), &json!(content)));
    }
    nothing_leaks(&studio, &error.to_string());
}

#[tokio::test]
async fn a_provider_that_stops_responding_is_abandoned() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    // The limit is twenty seconds for the first byte, and fifteen seconds between later ones.
    provider.script([Act::Silence]);
    let never = ask(&user, Protocol::OpenAi);
    let half = async {
        eventually("the first was asked", async || (provider.asked().len() == 1).then_some(())).await;
        let parts = [Protocol::OpenAi.begin(7), Protocol::OpenAi.text("Half a ")];
        provider.script([stream(parts, Ending::Never)]);
        ask(&user, Protocol::OpenAi).await
    };
    let (never, half) = tokio::join!(never, half);
    assert_eq!(never.expect(504).body["code"], "model_timeout");
    let half: Value = half.expect(200).body;
    assert_eq!((&half["content"], &half["finish_reason"]), (&json!("Half a "), &json!("interrupted")));
    eventually("both requests are ended", async || (provider.left() == 2).then_some(())).await;
}

#[tokio::test]
async fn ten_megabytes_of_answer_end_at_256_kilobytes() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    for protocol in BOTH {
        let part = protocol.text(&"0123456789 ".repeat(930)).into_bytes();
        let parts = std::iter::once(protocol.begin(7).into_bytes()).chain(std::iter::repeat_n(part, 1000));
        provider.script([Act::Stream(parts.collect(), Duration::ZERO, Ending::Never)]);
        let answer = ask(&user, protocol).await.expect(200).body;
        let length = answer["content"].as_str().unwrap().len();
        assert!((256 * 1024..=270 * 1024).contains(&length), "{length}");
        assert_eq!(answer["finish_reason"], "length");
    }
    eventually("both requests are ended", async || (provider.left() == 2).then_some(())).await;
}
