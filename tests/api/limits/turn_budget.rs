//! The cost of a turn: 400 tokens in 7.5 s, in an existing conversation with one connection.

use std::time::Instant;

use serde_json::json;

use crate::support::studio_with;

/// Dollars for a million turns, by the prices of us-east-1.
fn dollars_per_million(write_units: f64, read_units: f64, posts: f64, seconds: f64) -> f64 {
    let lambda = 2.0 * 0.20 + seconds * 0.25 * 13.3334;
    let messages = posts + 1.0;
    let logs = 0.5;
    write_units * 0.625 + read_units * 0.125 + messages + lambda + logs
}

#[tokio::test]
async fn a_turn_stays_within_its_budget() {
    turn().await;
}

/// Measures a turn, and fails if it exceeds its budget.
pub(crate) async fn turn() {
    let studio = studio_with(|options| options.variable("OFFLINE_TOKEN_DELAY_MS", "19")).await;
    let user = studio.user("alice").await;
    let mut connection = user.connect().await;
    let say = |id: &str, content: &str| json!({"type": "chat", "conversationId": "c", "id": id, "content": content});
    connection.chat(&say("m1", "hello")).await;
    studio.reset_meter();
    let start = Instant::now();
    connection.send(&say("m2", "/tokens 400")).await;
    connection.next("chat_complete").await;
    let seconds = start.elapsed().as_secs_f64();
    let posts = connection.unasked().len() as f64 + 1.0;
    let meter = studio.meter();
    let (total, transactions, updates) =
        (meter.total(), meter.operation("TransactWriteItems"), meter.operation("UpdateItem"));
    let dollars = dollars_per_million(total.write_units, total.read_units, posts, seconds);
    println!(
        "a turn of 400 tokens in {seconds:.1} s: {} write units, {} read units, {posts} posts a socket",
        total.write_units, total.read_units
    );
    println!("a million turns with one socket and 256 MB: ${dollars:.0}");
    // A busy machine takes longer and so needs more checkpoints and posts. The budget is for 7.5 s.
    let checkpoints = updates.write_units / updates.requests as f64 * 8.0;
    let writes = transactions.write_units + checkpoints;
    assert!(writes <= 44.0 && total.read_units <= 10.0, "{writes}: {meter:?}");
    assert!(posts <= 45.0 * (seconds / 7.5).max(1.0), "{posts} in {seconds} s");
}
