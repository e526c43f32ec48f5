//! Logs: one JSON object a line, with the id of the request. Never a password, token, secret or message.

use tracing_subscriber::EnvFilter;

/// Sends logs of `level` and above to standard output, from where Lambda takes them. Called once, at cold start.
pub fn init(level: &str) {
    // The SDK and HTTP stacks log bodies and headers at their lower levels; those never come out.
    let filter = EnvFilter::new(format!("warn,shared={level},functions={level}"));
    // A second call, in a test, keeps the first.
    let _already_set = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        // CloudWatch stamps each line itself.
        .without_time()
        .try_init();
}
