//! No process is left behind, however a studio ends.

use local::Studio;
use serde_json::json;

use crate::{eventually, start_studio};

/// Whether a process does anything any more; one that has ended may still be listed.
pub(crate) fn is_running(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

async fn with_instances() -> (Studio, Vec<u32>) {
    let studio = start_studio().await;
    studio.invoke("Web", json!({})).await.unwrap();
    studio.invoke("Impatient", json!({})).await.unwrap();
    let pids = [studio.instances("Web"), studio.instances("Impatient")].concat();
    assert!(pids.len() == 2 && pids.iter().all(|pid| is_running(*pid)));
    (studio, pids)
}

#[tokio::test]
async fn stop_returns_when_all_processes_have_ended() {
    let (studio, pids) = with_instances().await;
    studio.stop().await;
    assert!(!pids.iter().any(|pid| is_running(*pid)));
}

#[tokio::test]
async fn dropping_a_studio_ends_all_processes() {
    let (studio, pids) = with_instances().await;
    drop(studio);
    eventually("all are gone", || (!pids.iter().any(|pid| is_running(*pid))).then_some(())).await;
}

#[tokio::test]
async fn many_studios_run_at_once() {
    let (one, two) = tokio::join!(start_studio(), start_studio());
    assert_ne!(one.url(), two.url());
    let event = json!({ "do": "environment" });
    let (first, second) = tokio::join!(one.invoke("Web", event.clone()), two.invoke("Web", event));
    assert_ne!(first.unwrap()["PUSH"], second.unwrap()["PUSH"]);
}
