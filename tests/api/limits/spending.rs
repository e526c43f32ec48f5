//! Usage of replies: reserved before, settled after, limited per user and day.

use futures_util::future::join_all;
use local::{InvocationFault, Options, When};
use serde_json::{Value, json};

use crate::support::provider::{Act, Ending, Protocol, Provider, proper, refusal, studio_of};
use crate::support::{
    TestStudio, User, conversation_items, eventually, eventually_each, shared_studio, studio_with,
};

async fn limited(change: impl FnOnce(Options) -> Options) -> TestStudio {
    studio_with(|options| change(options.variable("RATE_LIMIT", "0"))).await
}

async fn usage_of(user: &User) -> Value {
    user.get("/api/usage").await.expect(200).body
}

fn ask(content: &str, max_tokens: u32) -> Value {
    json!({"messages": [{"role": "user", "content": content}], "max_tokens": max_tokens})
}

/// Waits until no tokens are reserved.
async fn settled(user: &User) -> Value {
    eventually("all is settled", async || {
        let usage = usage_of(user).await;
        (usage["today"]["running"] == 0).then_some(usage)
    })
    .await
}

#[tokio::test]
async fn tokens_that_a_provider_reports_are_booked_per_day_and_model_at_its_price() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[]).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let counted = |protocol: Protocol| {
        let parts =
            [protocol.begin(1000), protocol.text("yes"), protocol.finish("stop", 1000, 200), protocol.done()];
        provider.script([proper(parts)]);
    };
    for protocol in [Protocol::OpenAi, Protocol::Anthropic] {
        counted(protocol);
        let mut body = ask("?", 500);
        body["model"] = json!(protocol.model());
        user.post("/api/chat", &body).await.expect(200);
        counted(protocol);
        connection.chat(&json!({"type": "chat", "content": "?", "model": protocol.model()})).await;
    }
    let usage = settled(&user).await;
    // A million tokens cost 2.50 and 10 dollars at OpenAI, 3 and 15 at Anthropic.
    let (openai, anthropic) = (2500 + 2000, 3000 + 3000);
    let booked = |cost: u64| json!({"replies": 2, "input_tokens": 2000, "output_tokens": 400, "micro_dollars": 2 * cost});
    assert_eq!(usage["models"], json!({"gpt-4o": booked(openai), "claude-sonnet-4-5": booked(anthropic)}));
    let today = &usage["today"];
    let day = today["day"].as_str().unwrap();
    assert_eq!(usage["daily"][day]["micro_dollars"], 2 * (openai + anthropic));
    assert_eq!((&today["output_tokens"], &today["reserved_tokens"]), (&json!(800), &json!(0)));
    assert_eq!(
        usage["limits"],
        json!({"daily_tokens": 1_000_000, "daily_micro_dollars": 5_000_000, "replies_at_once": 3})
    );
}

#[tokio::test]
async fn a_request_that_every_provider_rejects_costs_nothing() {
    let provider = Provider::start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let studio = studio_of(&provider, &[("ANTHROPIC_BASE_URL", &nowhere), ("DAILY_TOKENS", "20000")]).await;
    let question = "word ".repeat(8000);
    let gpt = || json!({"messages": [{"role": "user", "content": question}], "model": "gpt-4o"});
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    let protocol = Protocol::OpenAi;
    for (act, times) in [
        (refusal(400, Vec::new()), 1),
        (refusal(402, Vec::new()), 1),
        (refusal(500, Vec::new()), 3),
        (Act::Reset, 3),
        (proper([protocol.begin(7), protocol.error("overloaded_error")]), 3),
        (proper([protocol.error("invalid_request_error")]), 1),
    ] {
        provider.script((0..times).map(|_| act.clone()));
        let answer = alice.post("/api/chat", &gpt()).await;
        assert!(answer.status >= 400 && answer.status != 429, "{}", answer.text);
    }
    let mut connection = alice.connect().await;
    provider.script([refusal(400, Vec::new())]);
    let chat =
        json!({"type": "chat", "content": "word ".repeat(4000), "model": "gpt-4o", "conversationId": "c"});
    connection.send(&chat).await;
    connection.next("chat_error").await;
    let unreached =
        json!({"messages": [{"role": "user", "content": question}], "model": "claude-sonnet-4-5"});
    bob.post("/api/chat", &unreached).await.expect(502);
    for user in [&alice, &bob] {
        let today = settled(user).await["today"].clone();
        let used = ["input_tokens", "output_tokens", "micro_dollars"].map(|name| today[name].clone());
        assert_eq!(used, [json!(0), json!(0), json!(0)], "{today}");
    }
    // A provider may charge for a request that was cut off, so it is booked.
    provider.script([Act::Stream(
        vec![protocol.text("Half").into_bytes()],
        std::time::Duration::ZERO,
        Ending::Cut,
    )]);
    alice.post("/api/chat", &gpt()).await.expect(200);
    assert!(usage_of(&alice).await["today"]["input_tokens"].as_u64() > Some(9000));
}

#[tokio::test]
async fn beyond_the_daily_limit_a_turn_is_refused_until_the_next_day_and_not_stored() {
    let studio = limited(|options| options.variable("DAILY_TOKENS", "1000")).await;
    let user = studio.user("alice").await;
    user.post("/api/chat", &ask("/tokens 600", 900)).await.expect(200);
    let refused = user.post("/api/chat", &ask("again", 900)).await.expect(429);
    assert_eq!(refused.body["code"], "limit_reached");
    let wait = refused.body["retry_after"].as_u64().unwrap();
    assert!((1..=86_400).contains(&wait) && refused.header("retry-after") == wait.to_string());
    let mut connection = user.connect().await;
    for chat in [
        json!({"type": "chat", "content": "x", "conversationId": "c"}),
        json!({"type": "chat", "content": "x"}),
    ] {
        connection.send(&chat).await;
        let refused = connection.next_any().await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("chat_error"), &json!("limit_reached")));
        assert!(refused["retry_after"].is_u64() && refused["retry"] == "same", "{refused}");
    }
    user.get("/api/conversations/c").await.expect(404);
    // Smaller requests still fit, and other users have their own limits.
    user.post("/api/chat", &ask("hi", 100)).await.expect(200);
    studio.user("bob").await.post("/api/chat", &ask("again", 900)).await.expect(200);
}

#[tokio::test]
async fn of_two_hundred_concurrent_chats_only_as_many_run_as_the_limit_allows() {
    let studio = limited(|options| {
        options
            .variable("DAILY_TOKENS", "5000")
            .variable("REPLIES_AT_ONCE", "1000")
            .variable("OFFLINE_TOKEN_DELAY_MS", "0")
    })
    .await;
    let user = studio.user("alice").await;
    let answers =
        join_all((0..200).map(|_| async { user.post("/api/chat", &ask("/tokens 100", 100)).await })).await;
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    let others = answers.iter().filter(|answer| answer.status != 200);
    for refused in others {
        assert!([429, 503].contains(&refused.status), "{}", refused.text);
    }
    let usage = settled(&user).await;
    let spent =
        usage["today"]["input_tokens"].as_u64().unwrap() + usage["today"]["output_tokens"].as_u64().unwrap();
    assert!(spent <= 5000 && made as u64 * 100 <= spent, "{made} made, {spent} spent");
    assert!(made > 20, "{made}");
}

#[tokio::test]
async fn a_user_has_at_most_three_replies_running() {
    let studio = limited(|options| options.variable("OFFLINE_TOKEN_DELAY_MS", "10")).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let chat = |id: &str| json!({"type": "chat", "content": "/tokens 300", "conversationId": id});
    for id in ["a", "b", "c"] {
        connection.send(&chat(id)).await;
        connection.next("chat_accepted").await;
    }
    connection.send(&chat("d")).await;
    let refused = connection.next("chat_error").await;
    assert_eq!((&refused["code"], &refused["retryable"]), (&json!("too_many_replies"), &json!(true)));
    assert_eq!(usage_of(&user).await["today"]["running"], 3);
    connection.next("chat_complete").await;
    connection.send(&chat("d")).await;
    connection.next("chat_accepted").await;
    for _ in 0..3 {
        connection.next("chat_complete").await;
    }
    let usage = settled(&user).await;
    assert_eq!(usage["today"]["output_tokens"], 1200);
}

#[tokio::test]
async fn a_reply_without_a_worker_frees_its_slot_for_the_next() {
    let studio =
        limited(|options| options.variable("REPLIES_AT_ONCE", "1").variable("OFFLINE_TOKEN_DELAY_MS", "10"))
            .await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    studio.faults().invocations(InvocationFault::Lost, Some("StrandedFunction"), When::Always);
    connection.send(&json!({"type": "chat", "content": "/tokens 5000", "max_tokens": 5000})).await;
    connection.next("chat_accepted").await;
    while connection.next("chat_chunk").await["seq"] != 12 {}
    studio.kill_all("replies");
    let connection = tokio::sync::Mutex::new(connection);
    eventually_each(std::time::Duration::from_millis(700), "there is room again", async || {
        let mut connection = connection.lock().await;
        connection.send(&json!({"type": "chat", "content": "hello", "conversationId": "next"})).await;
        loop {
            let frame = connection.next_any().await;
            match frame["type"].as_str() {
                Some("chat_accepted") => return Some(()),
                Some("chat_error") => {
                    assert_eq!(frame["code"], "too_many_replies", "{frame}");
                    return None;
                }
                _ => {}
            }
        }
    })
    .await;
    connection.lock().await.next("chat_complete").await;
    let usage = settled(&user).await;
    let (output, reserved) = (&usage["today"]["output_tokens"], &usage["today"]["reserved_tokens"]);
    assert!(output.as_u64() > Some(50) && output.as_u64() < Some(1000) && *reserved == 0, "{usage}");
}

#[tokio::test]
async fn the_reply_of_a_deleted_conversation_is_still_settled() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o")]).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let protocol = Protocol::OpenAi;
    let parts = [protocol.begin(7), protocol.text("Half of what there was to be said")];
    let parts = parts.into_iter().map(String::into_bytes).collect();
    provider.script([Act::Stream(parts, std::time::Duration::ZERO, Ending::Never)]);
    connection.send(&json!({"type": "chat", "content": "tell me", "conversationId": "c"})).await;
    connection.next("chat_chunk").await;
    user.delete("/api/conversations/c").await.expect(200);
    // Reading the usage releases reservations without a reply. The items of this reply are gone.
    let usage = settled(&user).await;
    assert_eq!(
        (&usage["today"]["replies"], &usage["today"]["reserved_tokens"]),
        (&json!(1), &json!(0)),
        "{usage}"
    );
    assert!(usage["today"]["output_tokens"].as_u64() >= Some(8), "{usage}");
    let left = conversation_items(&studio, &user, "c").await;
    let texts = left.iter().filter(|item| item.get("text").is_some() || item.get("content").is_some());
    assert_eq!(texts.count(), 0, "{left:?}");
    assert!(left.iter().all(|item| item.get("expires_at").is_some()), "{left:?}");
}

#[tokio::test]
async fn a_reply_without_conversation_and_worker_is_settled_by_its_last_checkpoint() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o")]).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let protocol = Protocol::OpenAi;
    let parts = [protocol.begin(7), protocol.text("Half of what there was to be said")];
    let parts = parts.into_iter().map(String::into_bytes).collect();
    provider.script([Act::Stream(parts, std::time::Duration::ZERO, Ending::Never)]);
    connection.send(&json!({"type": "chat", "content": "tell me", "conversationId": "c"})).await;
    connection.next("chat_chunk").await;
    eventually("a checkpoint has been written", async || {
        let items = conversation_items(&studio, &user, "c").await;
        items.iter().any(|item| item.get("charge").is_some()).then_some(())
    })
    .await;
    studio.kill_all("RepliesFunction");
    user.delete("/api/conversations/c").await.expect(200);
    let usage = settled(&user).await;
    assert_eq!(usage["today"]["replies"], 1, "{usage}");
    assert!(usage["today"]["output_tokens"].as_u64() >= Some(8), "{usage}");
}

#[tokio::test]
async fn one_setting_turns_all_models_off() {
    let studio = limited(|options| options.variable("MODELS_ENABLED", "false")).await;
    let user = studio.user("alice").await;
    assert_eq!(user.post("/api/chat", &ask("hi", 10)).await.expect(503).body["code"], "models_off");
    let mut connection = user.connect().await;
    connection.send(&json!({"type": "chat", "content": "hi", "conversationId": "c"})).await;
    assert_eq!(connection.next("chat_error").await["code"], "models_off");
    // Everything else works.
    user.conversation("d", &["one"]).await;
}

#[tokio::test]
async fn a_user_cannot_see_the_usage_of_another_user() {
    let studio = shared_studio().await;
    let (alice, bob) = (studio.user("alice").await, studio.user("bob").await);
    alice.post("/api/chat", &ask("/tokens 5", 100)).await.expect(200);
    assert_eq!(usage_of(&alice).await["models"]["offline"]["output_tokens"], 5);
    assert_eq!(usage_of(&bob).await["models"], json!({}));
    studio.visitor().get("/api/usage").await.expect(401);
}
