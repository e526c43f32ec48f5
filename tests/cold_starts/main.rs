//! `cargo bench --bench cold_starts` measures the time from the start of a function's process to its first answer, in
//! release builds. A `lambda_http` function that says hello is built and measured in the same run for comparison. The
//! local studio answers the requests to Secrets Manager and DynamoDB. The benchmark fails when a function takes more
//! than 2.5 times as long as the hello function.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends by panicking"
)]

#[path = "../benchmark.rs"]
mod benchmark;
mod runtime_api;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use local::{Options, Studio};
use serde_json::Value;

use runtime_api::RuntimeApi;

const STARTS: usize = 20;
/// How many times as long as the hello function a function may take.
const MOST: f64 = 2.5;
/// A function and its first event.
const MEASURED: [(&str, &str); 3] =
    [("auth", "auth/me"), ("conversations", "conversations/list"), ("sockets", "sockets/connect")];

/// A binary and its environment.
struct Function {
    name: &'static str,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    event: Value,
}

#[tokio::main]
async fn main() {
    if !benchmark::is_asked_for() {
        return;
    }
    let studio = Studio::start(Options::default()).await.unwrap();
    let token = benchmark::register(&studio, "cold").await;
    let mut functions = vec![hello()];
    functions.extend(MEASURED.map(|(name, sample)| Function {
        name,
        binary: binary(name),
        environment: studio.environment(name),
        event: event(sample, &token),
    }));
    // In turns, so that other load on the machine affects all functions alike.
    let mut times = vec![Vec::new(); functions.len()];
    for _ in 0..STARTS {
        for (function, times) in functions.iter().zip(&mut times) {
            times.push(tokio::task::block_in_place(|| first_answer(function)));
        }
    }
    let medians: Vec<Duration> = times.into_iter().map(median).collect();
    println!("process start to first answer, medians of {STARTS}");
    let mut slow = Vec::new();
    for (function, median) in functions.iter().zip(&medians) {
        let times = median.as_secs_f64() / medians[0].as_secs_f64();
        println!("{:<14} {:>6.1} ms {times:>6.2}", function.name, median.as_secs_f64() * 1000.0);
        if times > MOST {
            slow.push(function.name);
        }
    }
    studio.stop().await;
    assert!(slow.is_empty(), "more than {MOST} times what hello takes: {slow:?}");
}

/// Starts the function, sends it the event, checks its answer, and ends it.
fn first_answer(function: &Function) -> Duration {
    let api = RuntimeApi::open(function.event.to_string());
    let start = Instant::now();
    let mut process = Command::new(&function.binary)
        .env_clear()
        .envs(function.environment.iter().map(|(name, value)| (name, value)))
        .env("AWS_LAMBDA_RUNTIME_API", api.address())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (answered, answer) = api.answer();
    process.kill().unwrap();
    process.wait().unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["statusCode"], 200, "{}: {answer}", function.name);
    answered - start
}

/// The hello function, built with the same profile.
fn hello() -> Function {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--release", "--package", "local", "--example", "hello"]);
    // The folder in which the benchmark itself was built, for a target or for the host.
    let release = Path::new(env!("CARGO_BIN_EXE_auth")).parent().unwrap();
    let folder = release.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    if let Some(target) = folder.filter(|name| name.starts_with(std::env::consts::ARCH)) {
        build.args(["--target", target]);
    }
    assert!(build.status().unwrap().success());
    let name = |name: &str| format!("AWS_LAMBDA_FUNCTION_{name}");
    let environment = [("NAME", "hello"), ("MEMORY_SIZE", "256"), ("VERSION", "$LATEST")];
    Function {
        name: "hello",
        binary: release.join("examples/hello"),
        environment: environment.map(|(key, value)| (name(key), value.to_owned())).to_vec(),
        event: event("auth/me", ""),
    }
}

fn binary(name: &str) -> PathBuf {
    let path = match name {
        "auth" => env!("CARGO_BIN_EXE_auth"),
        "conversations" => env!("CARGO_BIN_EXE_conversations"),
        "sockets" => env!("CARGO_BIN_EXE_sockets"),
        _ => panic!("{name} is not measured"),
    };
    path.into()
}

fn event(sample: &str, token: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("events/{sample}.json"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut event: Value = serde_json::from_str(&text.replace("TOKEN", token)).unwrap();
    // A connection with a token would invoke another function, which would try to greet it.
    event["queryStringParameters"] = Value::Null;
    event["multiValueQueryStringParameters"] = Value::Null;
    event
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
