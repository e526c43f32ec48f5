//! Limits on the number of requests.

use reqwest::Method;
use serde_json::json;

use crate::support::{Connection, PASSWORD, TestStudio, send, studio_with};

/// A studio that allows so many requests during a test.
async fn limited(requests: u64) -> TestStudio {
    let requests = requests.to_string();
    studio_with(|options| options.variable("RATE_LIMIT", &requests).variable("RATE_LIMIT_WINDOW", "3600"))
        .await
}

#[tokio::test]
async fn writes_of_a_user_are_limited_and_reads_are_not() {
    let studio = limited(4).await;
    let (ada, eve) = (studio.user("ada").await, studio.user("eve").await);
    let question = json!({"messages": [{"role": "user", "content": "hello"}]});
    for left in (0..4).rev() {
        let answer = ada.post("/api/chat", &question).await.expect(200);
        assert_eq!(answer.header("x-ratelimit-limit"), "4");
        assert_eq!(answer.header("x-ratelimit-remaining"), left.to_string());
        assert!(answer.header("x-ratelimit-reset").parse::<u64>().unwrap() > 1_700_000_000);
    }
    let refused = ada.post("/api/chat", &question).await.expect(429);
    assert_eq!(refused.body["code"], "rate_limited");
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    let wait = refused.body["retry_after"].as_u64().unwrap();
    assert!((1..=3600).contains(&wait));
    assert_eq!(refused.header("retry-after"), wait.to_string());
    ada.post("/api/conversations", &json!({"title": "x"})).await.expect(429);
    for _ in 0..10 {
        let read = ada.get("/api/stats").await.expect(200);
        assert_eq!(read.header("x-ratelimit-limit"), "", "reading is free");
    }
    eve.post("/api/chat", &question).await.expect(200);
}

#[tokio::test]
async fn unauthenticated_requests_are_limited_by_the_address_that_the_gateway_sees() {
    let studio = limited(6).await;
    let guess = json!({"username": "nobody", "password": PASSWORD});
    let visitor = studio.visitor();
    visitor.post("/api/auth/login", &guess).await.expect(401);
    visitor.post("/api/auth/refresh", &json!({"refresh_token": "rt_x"})).await.expect(401);
    visitor.get("/api/conversations").await.expect(401);
    visitor.with_token("forged").get("/api/auth/me").await.expect(401);
    visitor.post("/api/auth/register", &json!({})).await.expect(422);
    visitor.with_token("forged").get("/api/stats").await.expect(401);
    for path in ["/api/auth/login", "/api/auth/register", "/api/auth/refresh"] {
        visitor.post(path, &guess).await.expect(429);
    }
    visitor.get("/api/conversations").await.expect(429);
    let claimed = visitor.request(Method::POST, "/api/auth/login").header("x-forwarded-for", "198.51.100.7");
    assert_eq!(send(claimed.json(&guess)).await.status, 429, "what a client says of itself means nothing");
    for path in ["/", "/health"] {
        assert_eq!(visitor.get(path).await.expect(200).header("x-ratelimit-limit"), "");
    }
    studio.visitor_at([127, 0, 0, 2]).post("/api/auth/login", &guess).await.expect(401);
}

#[tokio::test]
async fn an_invalid_authorization_header_does_not_bypass_the_limit() {
    let studio = limited(3).await;
    let visitor = studio.visitor().with_token("forged");
    for body in [json!([]), json!({"token": 7}), json!({"token": "mt_x"})] {
        let answer = visitor.post("/api/auth/email/verify", &body).await.expect(422);
        assert_eq!(answer.header("x-ratelimit-limit"), "3", "{body}");
    }
    visitor.post("/api/auth/email/verify", &json!([])).await.expect(429);
}

#[tokio::test]
async fn concurrent_requests_are_all_counted() {
    let studio = limited(10).await;
    let ada = studio.user("ada").await;
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (client, id) = (ada.with_token(&ada.token), ada.id.clone());
        requests.spawn(async move { client.delete(&format!("/api/conversations/{id}")).await.status });
    }
    let statuses = requests.join_all().await;
    let passed = statuses.iter().filter(|status| **status == 404).count();
    assert_eq!((passed, statuses.len() - passed), (10, 30), "{statuses:?}");
}

#[tokio::test]
async fn unauthenticated_connects_are_limited_too() {
    let studio = limited(4).await;
    // The registration counts as the first request of this address.
    let ada = studio.user("ada").await;
    let forged = format!("{}?token=forged", studio.ws_url());
    assert_eq!(Connection::open(&forged).await.err(), Some(401));
    drop(studio.connect().await);
    assert_eq!(Connection::open(&forged).await.err(), Some(401));
    assert_eq!(Connection::open(&forged).await.err(), Some(429));
    assert_eq!(Connection::open(studio.ws_url()).await.err(), Some(429));
    ada.connect().await.is_quiet().await;
}
