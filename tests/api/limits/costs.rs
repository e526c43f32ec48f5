//! Cost limits: large reads count as several requests, and the writes of a user are limited.

use serde_json::{Value, json};

use crate::support::{Answer, TestStudio, User, studio_with};

/// A period that does not end during a test. A shorter one might end at a full hour, for instance.
const WINDOW: u64 = 1000 * 86_400;

/// A studio with these settings and a period that does not end during the test.
async fn limited(settings: &[(&str, &str)]) -> TestStudio {
    studio_with(|options| {
        let options = options.variable("RATE_LIMIT_WINDOW", WINDOW.to_string());
        settings.iter().fold(options, |options, (name, value)| options.variable(*name, *value))
    })
    .await
}

/// A conversation of so many messages of some KB of random text.
fn conversation(id: &str, messages: usize, kilobytes: usize) -> Value {
    let mut seed = 7_u64;
    let mut noise = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((seed >> 33) % 90).unwrap())
    };
    let mut text = || (0..kilobytes * 1024).map(|_| noise()).collect::<String>();
    let messages: Vec<Value> =
        (0..messages).map(|n| json!({"id": format!("m{n}"), "role": "user", "content": text()})).collect();
    json!({"id": id, "title": "Large", "messages": messages})
}

fn assert_refused(answer: &Answer, most: &str) {
    assert_eq!((answer.status, &answer.body["code"]), (429, &json!("rate_limited")), "{}", answer.text);
    let wait = answer.body["retry_after"].as_u64().unwrap();
    assert!((1..=WINDOW).contains(&wait) && answer.header("retry-after") == wait.to_string());
    assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), (most, "0"));
    assert!(answer.header("x-ratelimit-reset").parse::<u64>().unwrap() > 1_700_000_000);
}

#[tokio::test]
async fn large_reads_count_as_several_requests_and_small_ones_are_free() {
    let studio = limited(&[("RATE_LIMIT", "10")]).await;
    let (ada, eve) = (studio.user("ada").await, studio.user("eve").await);
    // About 600 KB, or 150 read units.
    for user in [&ada, &eve] {
        user.post("/api/conversations", &conversation("large", 20, 30)).await.expect(200);
        user.post("/api/conversations", &conversation("small", 2, 1)).await.expect(200);
    }
    let large = [
        "/api/conversations",
        "/api/export",
        "/api/conversations/large",
        "/api/conversations/large/export",
        "/api/auth/me/export",
        "/api/conversations/large/messages?limit=100",
    ];
    let mut answers = Vec::new();
    for path in large.iter().cycle().take(24) {
        answers.push(ada.get(path).await);
    }
    let allowed = answers.iter().take_while(|answer| answer.status == 200).count();
    // The conversations counted as two requests, and each read counts as two or three.
    assert!(
        (3..=4).contains(&allowed),
        "{:?}",
        answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
    );
    let remaining = answers[0].header("x-ratelimit-remaining");
    // A list reads a conversation of more than 256 KB twice: with others, and then alone.
    assert!(["4", "5"].contains(&remaining), "{remaining}");
    for refused in &answers[allowed..] {
        assert_refused(refused, "10");
    }
    let small = [
        "/api/conversations/small",
        "/api/conversations?view=summary",
        "/api/conversations?limit=1",
        "/api/stats",
    ];
    for path in small {
        let answer = ada.get(path).await.expect(200);
        assert_eq!(answer.header("x-ratelimit-limit"), "", "{path} is free");
    }
    // The cost of the reads is missing from the limit of writes.
    ada.post("/api/conversations", &json!({"title": "x"})).await.expect(429);
    // A write that reads much also counts as several requests.
    let bob = studio.user("bob").await;
    bob.post("/api/conversations", &conversation("large", 20, 30)).await.expect(200);
    let put = bob.put("/api/conversations/large", &conversation("large", 20, 30)).await.expect(200);
    let remaining = put.header("x-ratelimit-remaining");
    assert!(["4", "5", "6"].contains(&remaining), "{remaining}");
    // Concurrent requests that have started are served.
    let at_once = futures_util::future::join_all((0..60).map(|_| eve.get("/api/export"))).await;
    let passed = at_once.iter().filter(|answer| answer.status == 200).count();
    assert!(passed < 40, "{passed}");
    assert_refused(&eve.get("/api/export").await, "10");
}

#[tokio::test]
async fn without_a_request_limit_there_is_no_cost_limit() {
    let studio =
        limited(&[("RATE_LIMIT", "0"), ("ITEMS_PER_REQUEST", "10"), ("ITEMS_PER_WINDOW", "10")]).await;
    let ada = studio.user("ada").await;
    ada.post("/api/conversations", &conversation("large", 200, 4)).await.expect(200);
    for _ in 0..12 {
        assert_eq!(ada.get("/api/conversations").await.expect(200).header("x-ratelimit-limit"), "");
    }
}

/// A conversation of so many short messages.
fn body(id: &str, messages: usize) -> Value {
    let message = |n: usize| json!({"id": format!("n{n}"), "role": "user", "content": "hi"});
    json!({"id": id, "title": "Long", "messages": (0..messages).map(message).collect::<Vec<Value>>()})
}

async fn import(user: &User, entries: &[Value]) -> Answer {
    user.post("/api/import", &json!(entries)).await
}

#[tokio::test]
async fn written_items_are_limited_per_request_and_per_period() {
    let settings = [("RATE_LIMIT", "100"), ("ITEMS_PER_REQUEST", "500"), ("ITEMS_PER_WINDOW", "800")];
    let studio = limited(&settings).await;
    let ada = studio.user("ada").await;
    let entries: Vec<Value> = (0..100).map(|n| body(&format!("c{n}"), 1)).collect();
    let first = import(&ada, &entries).await.expect(200).body;
    let imported = first["imported"].as_u64().unwrap();
    assert!((40..=45).contains(&imported), "{first}");
    let next = usize::try_from(first["next"].as_u64().unwrap()).unwrap();
    // Four conversations are imported concurrently, so one after the first refused one may be stored already.
    assert!((40..=46).contains(&next), "{first}");
    let second = import(&ada, &entries[next..]).await.expect(200).body;
    assert!(second["imported"].as_u64().unwrap() <= 45 && second["next"].is_u64(), "{second}");
    // The limit of the window is reached. Only the first 100 items of a request, which are not counted singly, pass.
    let third = import(&ada, &entries[80..]).await.expect(200).body;
    assert!(third["imported"].as_u64().unwrap() < 15 && third["next"].is_u64(), "{third}");
    let refused = ada.post("/api/conversations", &body("e", 150)).await;
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")), "{}", refused.text);
    assert_eq!(refused.header("retry-after"), refused.body["retry_after"].to_string());
    let eve = studio.user("eve").await;
    eve.conversation("d", &["one"]).await;
    let created = eve.post("/api/conversations", &body("e", 600)).await;
    for refused in [created, eve.put("/api/conversations/d", &body("d", 600)).await] {
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (429, &json!("rate_limited")),
            "{}",
            refused.text
        );
        assert_eq!(refused.header("retry-after"), refused.body["retry_after"].to_string());
    }
    eve.get("/api/conversations/e").await.expect(404);
}

#[tokio::test]
async fn the_default_limits_allow_a_conversation_of_two_thousand_messages_and_an_import_of_ten_thousand() {
    let studio = studio_with(|options| options.variable("RATE_LIMIT", "100")).await;
    let ada = studio.user("ada").await;
    ada.post("/api/conversations", &body("c", 2000)).await.expect(200);
    let entries: Vec<Value> = (0..50).map(|n| body(&format!("i{n}"), 200)).collect();
    let (mut imported, mut from) = (0, 0);
    while from < entries.len() {
        let report = import(&ada, &entries[from..]).await.expect(200).body;
        imported += report["imported"].as_u64().unwrap();
        // On a busy machine the import may run out of time, but it must not reach the limit of items.
        from += report["next"].as_u64().map_or(entries.len(), |next| usize::try_from(next).unwrap());
    }
    assert_eq!(imported, 50);
}

async fn stored(user: &User) -> u64 {
    user.get("/api/usage").await.expect(200).body["storage"]["bytes"].as_u64().unwrap()
}

fn assert_over_quota(refused: &Answer) {
    let is_refused = refused.status == 429 && refused.body["code"] == "quota_exceeded";
    assert!(is_refused, "{} {}", refused.status, refused.body["detail"]);
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
}

/// Every kind of request that adds more than the storage limit leaves.
async fn add_too_much(user: &User) {
    let text = "x".repeat(25_000);
    let message = json!({"id": "n", "role": "user", "content": text});
    let large = |id: &str| json!({"id": id, "title": "x", "messages": [message]});
    let mut many = body("many", 200);
    many["messages"][0]["content"] = json!(text);
    let answers = [
        user.post("/api/conversations", &large("e")).await,
        user.post("/api/conversations", &many).await,
        user.put("/api/conversations/c", &large("c")).await,
        user.patch("/api/conversations/c", &json!({"systemPrompt": text})).await,
        user.post("/api/conversations/c/messages", &json!({"role": "user", "content": text})).await,
        user.patch("/api/conversations/c/messages/m0", &json!({"content": text})).await,
        user.post("/api/import", &json!([large("i")])).await,
        user.post(
            "/api/chat",
            &json!({"conversationId": "c", "messages": [{"role": "user", "content": text}]}),
        )
        .await,
    ];
    answers.iter().for_each(assert_over_quota);
    let mut connection = user.connect().await;
    connection.send(&json!({"type": "chat", "content": text, "conversationId": "c"})).await;
    assert_eq!(connection.next("chat_error").await["code"], "quota_exceeded");
}

#[tokio::test]
async fn the_storage_of_a_users_conversations_is_shown_and_limited() {
    let studio = limited(&[("RATE_LIMIT", "0"), ("STORAGE_BYTES", "20000")]).await;
    let (ada, eve) = (studio.user("ada").await, studio.user("eve").await);
    let usage = ada.get("/api/usage").await.expect(200).body;
    assert_eq!(usage["storage"], json!({"bytes": 0, "quota": 20_000}));
    for user in [&ada, &eve] {
        user.conversation("c", &[&"y".repeat(8_000)]).await;
    }
    let before = stored(&ada).await;
    assert!((8_000..10_000).contains(&before), "{before}");
    add_too_much(&ada).await;
    assert_eq!(stored(&ada).await, before);
    // Requests that fit or free storage still succeed.
    ada.post(
        "/api/chat",
        &json!({"conversationId": "c", "messages": [{"role": "user", "content": "hello"}]}),
    )
    .await
    .expect(200);
    let with_turn = stored(&ada).await;
    assert!(with_turn > before + 600, "{with_turn}");
    ada.patch("/api/conversations/c/messages/m0", &json!({"content": "short"})).await.expect(200);
    assert_eq!(stored(&ada).await, with_turn - 8_000 + 5);
    ada.post("/api/conversations", &body("d", 20)).await.expect(200);
    for path in ["/api/conversations/c", "/api/conversations/d"] {
        ada.delete(path).await.expect(200);
    }
    assert_eq!((stored(&ada).await, stored(&eve).await), (0, before));
}
