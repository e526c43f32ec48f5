//! What a fake provider does with a request.
use std::time::Duration;

use serde_json::json;

/// What the provider does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers with this status, these headers and this body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Closes the connection without a word.
    Reset,
    /// Says nothing until the client goes.
    Silence,
    /// Streams these bytes, each in a chunk of its own, with a pause behind each, and then ends as it is told.
    Stream(Vec<Vec<u8>>, Duration, Ending),
}

/// How a stream ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// In good order.
    Proper,
    /// The connection is cut.
    Cut,
    /// It does not: nothing more comes until the client goes.
    Never,
}

/// A stream of these texts, at once, that ends in good order.
pub(crate) fn proper(parts: impl IntoIterator<Item = String>) -> Act {
    stream(parts, Ending::Proper)
}

/// A stream of these texts that ends as it is told.
pub(crate) fn stream(parts: impl IntoIterator<Item = String>, ending: Ending) -> Act {
    Act::Stream(parts.into_iter().map(String::into_bytes).collect(), Duration::ZERO, ending)
}

/// A refusal as providers word it, with what must never reach a client.
pub(crate) fn refusal(status: u16, headers: Vec<(&'static str, String)>) -> Act {
    let body = json!({"error": {"type": "some_error", "message": "internal-detail sk-secret"}});
    Act::Answer(status, headers, body.to_string())
}
