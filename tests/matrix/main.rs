//! `cargo bench --bench matrix` runs 2,000 turns under all faults at once, 1,000 disconnects with resumes, and 100
//! concurrent replies, and measures the time that the studio adds to a provider's first token. It prints the outcomes,
//! and fails when anything was lost, duplicated, stuck, out of order, late or charged wrongly. To run a single part:
//! `cargo bench --bench matrix -- turns`, or `disconnects`, `first-token`, `at-once`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends by panicking"
)]
#![allow(dead_code, unused_imports, reason = "what the tests of the API have, of which little is used here")]

#[path = "../benchmark.rs"]
mod benchmark;
#[path = "../api/faults/matrix.rs"]
mod matrix;
#[path = "../api/chat/resume.rs"]
mod resume;
#[path = "../api/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use support::provider::{Provider, studio_of};
use support::{Connection, Shown, studio_with};

#[tokio::main]
async fn main() {
    if !benchmark::is_asked_for() {
        return;
    }
    if is_wanted("first-token") {
        first_tokens().await;
    }
    if is_wanted("at-once") {
        hundred_at_once().await;
    }
    if is_wanted("turns") {
        turns().await;
    }
    if is_wanted("disconnects") {
        disconnects().await;
    }
}

/// Whether to run this part. All parts run when none is named.
fn is_wanted(part: &str) -> bool {
    let mut named = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).peekable();
    named.peek().is_none() || named.any(|name| name == part)
}

async fn turns() {
    let start = Instant::now();
    let figures = matrix::run(20, 2000).await;
    println!("{} turns in {} s", figures.turns, start.elapsed().as_secs());
    println!(
        "faults that struck: {}; workers killed: {}; ends: {:?}",
        figures.faults, figures.killed, figures.ends
    );
    println!(
        "lost {}, duplicated {}, stuck {}, models asked twice {}, ledger off by {} tokens",
        figures.lost, figures.duplicated, figures.stuck, figures.asked_twice, figures.ledger_off_by
    );
    let bad = figures.lost + figures.duplicated + figures.stuck + figures.asked_twice;
    assert!(bad == 0 && figures.ledger_off_by == 0, "{figures:?}");
}

async fn disconnects() {
    let start = Instant::now();
    let (disconnects, wrong) = resume::disconnects(10, 100).await;
    println!(
        "{disconnects} disconnects with resumes in {} s; texts that differ: {wrong}",
        start.elapsed().as_secs()
    );
    assert_eq!(wrong, 0);
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// Measures how much later a connection receives the first token than a client that asks the provider directly.
async fn first_tokens() {
    let provider = Provider::start().await;
    let studio = studio_of(&provider, &[("DEFAULT_MODEL", "gpt-4o"), ("RATE_LIMIT", "0")]).await;
    let mut connection = studio.user("alice").await.connect().await;
    let client = reqwest::Client::new();
    let body = json!({"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "one two three"}]});
    let url = format!("{}/chat/completions", provider.openai());
    let (mut through, mut direct) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let sent = Instant::now();
        let mut answer = client.post(&url).json(&body).send().await.unwrap();
        answer.chunk().await.unwrap();
        direct.push(sent.elapsed());
        while answer.chunk().await.unwrap().is_some() {}
        let sent = Instant::now();
        connection.send(&json!({"type": "chat", "content": "one two three"})).await;
        come(&mut connection, "chat_chunk").await;
        through.push(sent.elapsed());
        come(&mut connection, "chat_complete").await;
    }
    let (through, direct) = (median(through), median(direct));
    println!(
        "first token: {through:.1} ms through the studio, {direct:.1} ms from the provider, medians of 100"
    );
    assert!(through - direct < 60.0, "{through} {direct}");
}

/// Waits for a frame of this type and drops the frames before it.
async fn come(connection: &mut Connection, kind: &str) {
    while connection.next_any().await["type"] != kind {}
}

/// Runs 100 concurrent replies of 100 tokens, two for each of 50 users, and checks the order of each.
async fn hundred_at_once() {
    let studio = studio_with(|options| options.variable("OFFLINE_TOKEN_DELAY_MS", "15")).await;
    let enter = |number: usize| {
        let studio = &studio;
        async move {
            let user = studio.user(&format!("user{number}")).await;
            [user.connect().await, user.connect().await]
        }
    };
    let connections: Vec<_> = join_all((0..50).map(enter)).await.into_iter().flatten().collect();
    let start = Instant::now();
    let replies = connections.into_iter().map(|mut connection| async move {
        connection.send(&json!({"type": "chat", "content": "/tokens 100"})).await;
        let message = connection.next("chat_accepted").await["messageId"].clone();
        let mut shown = Shown::default();
        shown.watch(&mut connection, &message).await;
        shown.text.ends_with("99 100 ")
    });
    let whole = join_all(replies).await.into_iter().filter(|whole| *whole).count();
    println!(
        "100 replies of 100 tokens at once: {whole} in order and whole, after {:.1} s",
        start.elapsed().as_secs_f64()
    );
    assert_eq!(whole, 100);
}
