//! Logs: one JSON object a line, with the id of the request. Never a password, token, secret or message.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sends logs of `level` (`info` if it is none) and above to standard output, from where Lambda takes them. Called once, at
/// cold start.
pub fn init(level: &str) {
    let level = level.parse().unwrap_or(LevelFilter::INFO);
    // The SDK and HTTP stacks log bodies and headers at their lower levels; those never come out.
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets([("shared", level), ("functions", level)]);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        // CloudWatch stamps each line itself.
        .without_time();
    // A second call, in a test, keeps the first.
    let _already_set = tracing_subscriber::registry().with(lines).with(filter).try_init();
}
