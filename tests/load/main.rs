//! `cargo bench --bench load` measures the local studio in a release build. Client, gateway, Runtime API, function
//! processes and DynamoDB share one machine, so each figure is printed beside that of a route which the gateway answers
//! without a function, measured in the same run.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends by panicking"
)]

#[path = "../benchmark.rs"]
mod benchmark;

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use local::{Options, Studio};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

const CONNECTIONS: usize = 64;
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(8);
const CHATS: usize = 60;

/// The throughput and the latencies of one route.
struct Load {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

#[tokio::main]
async fn main() {
    if !benchmark::is_asked_for() {
        return;
    }
    let studio = Studio::start(Options::default()).await.unwrap();
    let token = benchmark::register(&studio, "load").await;
    println!("{CONNECTIONS} connections, {} s each, on {} cores", MEASURED.as_secs(), cores());
    println!("{:<22} {:>10} {:>9} {:>9} {:>12}", "", "requests/s", "p50 ms", "p99 ms", "of gateway");
    let gateway = load(&studio, "/no-such-route", &token, 404).await;
    print_load("(gateway alone, 404)", &gateway, &gateway);
    for path in ["/", "/health", "/api/auth/me", "/api/conversations", "/api/stats"] {
        let load = load(&studio, path, &token, 200).await;
        print_load(&format!("GET {path}"), &load, &gateway);
    }
    let (first, bare) = first_chunks(&studio, &token).await;
    println!(
        "first chat_chunk after its frame: median {:.1} ms; ping to pong: median {:.1} ms",
        ms(first),
        ms(bare)
    );
    studio.stop().await;
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn print_load(name: &str, load: &Load, gateway: &Load) {
    let share = load.per_second / gateway.per_second;
    println!(
        "{name:<22} {:>10.0} {:>9.1} {:>9.1} {share:>12.2}",
        load.per_second,
        ms(load.p50),
        ms(load.p99)
    );
}

/// Requests `path` on all connections in parallel. Each connection sends its next request when it has an answer.
async fn load(studio: &Studio, path: &str, token: &str, status: u16) -> Load {
    let url = format!("{}{path}", studio.url());
    let start = Instant::now() + WARM_UP;
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        // Each client has its own connection.
        let request = reqwest::Client::new().get(&url).bearer_auth(token);
        tasks.spawn(async move {
            let mut times = Vec::new();
            loop {
                let sent = Instant::now();
                let answer = request.try_clone().unwrap().send().await.unwrap();
                assert_eq!(answer.status(), status);
                answer.bytes().await.unwrap();
                if sent >= start + MEASURED {
                    return times;
                }
                if sent >= start {
                    times.push(sent.elapsed());
                }
            }
        });
    }
    let mut times = tasks.join_all().await.concat();
    times.sort_unstable();
    Load {
        per_second: times.len() as f64 / MEASURED.as_secs_f64(),
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
    }
}

/// The median times from a `chat` frame to its first chunk and from `ping` to `pong`, measured sequentially.
async fn first_chunks(studio: &Studio, token: &str) -> (Duration, Duration) {
    let (mut socket, _) = connect_async(format!("{}?token={token}", studio.ws_url())).await.unwrap();
    let (mut chats, mut pings) = (Vec::new(), Vec::new());
    for number in 0..CHATS {
        let chat = json!({"type": "chat", "content": "hello", "conversationId": format!("load-{number}")});
        for (frame, wanted, times) in
            [(chat, "chat_chunk", &mut chats), (json!({"type": "ping"}), "pong", &mut pings)]
        {
            let sent = Instant::now();
            socket.send(Message::text(frame.to_string())).await.unwrap();
            let mut taken = None;
            let last = if wanted == "pong" { "pong" } else { "chat_complete" };
            loop {
                let Some(Ok(Message::Text(text))) = socket.next().await else { continue };
                let frame: Value = serde_json::from_str(&text).unwrap();
                if frame["type"] == wanted {
                    taken.get_or_insert_with(|| sent.elapsed());
                }
                if frame["type"] == last {
                    break;
                }
            }
            times.push(taken.unwrap());
        }
    }
    chats.sort_unstable();
    pings.sort_unstable();
    (chats[chats.len() / 2], pings[pings.len() / 2])
}
