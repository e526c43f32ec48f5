//! Runs release binaries in the Runtime Interface Emulator of AWS: each sample event gets the answer of the local
//! studio. `LAMBDA_EMULATOR` is the emulator, `LAMBDA_BINARIES` the folder that `cargo lambda build` fills.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::deployment::events::{in_order, prepared, sign_in};
use crate::support::{TestStudio, WAIT_TIMEOUT, eventually};

/// The emulators of a studio's functions, each started at its first event and ended with the test.
struct Emulators<'a> {
    studio: &'a TestStudio,
    emulator: PathBuf,
    binaries: PathBuf,
    running: BTreeMap<String, Emulator>,
}

struct Emulator {
    process: Child,
    url: String,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A free port.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Emulators<'_> {
    /// Starts an emulator for `function`, with the environment variables that the function has in the studio.
    fn start(&self, function: &str) -> Emulator {
        let address = format!("127.0.0.1:{}", free_port());
        let process = Command::new(&self.emulator)
            .args(["--runtime-interface-emulator-address", &address])
            .args(["--runtime-api-address", &format!("127.0.0.1:{}", free_port())])
            .arg(self.binaries.join(function).join("bootstrap"))
            .env_clear()
            .envs(self.studio.environment(function))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Emulator { process, url: format!("http://{address}/2015-03-31/functions/function/invocations") }
    }

    async fn invoke(&mut self, function: &str, event: &Value) -> Value {
        if !self.running.contains_key(function) {
            self.running.insert(function.to_owned(), self.start(function));
        }
        let url = &self.running[function].url;
        let client = reqwest::Client::new();
        // The emulator needs a moment until it listens.
        let answer = eventually("the emulator answers", async || {
            client.post(url).json(event).timeout(WAIT_TIMEOUT).send().await.ok()
        });
        answer.await.json().await.unwrap()
    }
}

/// The shape of an answer: all texts are equal, all numbers are equal, and JSON within text is parsed.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => shape(&inner),
            _ => json!("text"),
        },
        Value::Number(_) => json!(0),
        other => other.clone(),
    }
}

fn setting(name: &str) -> Option<PathBuf> {
    std::env::vars_os().find(|(key, _)| key == name).map(|(_, value)| PathBuf::from(value))
}

#[tokio::test]
async fn every_sample_event_is_answered_alike_by_the_emulator_of_aws() {
    let (Some(emulator), Some(binaries)) = (setting("LAMBDA_EMULATOR"), setting("LAMBDA_BINARIES")) else {
        eprintln!(
            "skipped: LAMBDA_EMULATOR and LAMBDA_BINARIES do not say where the emulator and the binaries are"
        );
        return;
    };
    assert!(Path::new(&emulator).is_file(), "{}", emulator.display());
    let (ours, theirs) = (prepared().await, prepared().await);
    let mut emulators = Emulators { studio: &theirs, emulator, binaries, running: BTreeMap::new() };
    let samples = in_order();
    for sample in &samples {
        let event = sample.event(&sign_in(&ours).await);
        let expected = ours.invoke(&sample.function, event).await.unwrap();
        let event = sample.event(&sign_in(&theirs).await);
        let answer = emulators.invoke(&sample.function, &event).await;
        let status = if answer.is_null() { &Value::Null } else { &answer["statusCode"] };
        assert_eq!(
            (status, shape(&answer)),
            (&expected["statusCode"], shape(&expected)),
            "{}",
            sample.name()
        );
    }
    eprintln!("{} sample events in {} functions", samples.len(), emulators.running.len());
}
