//! What a fake provider does with a request.

use std::time::Duration;

use serde_json::json;

/// What a fake provider does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers with this status, these headers and this body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Closes the connection without an answer.
    Reset,
    /// Sends nothing until the client leaves.
    Silence,
    /// Streams these byte strings, each in its own chunk followed by a pause, and then ends.
    Stream(Vec<Vec<u8>>, Duration, Ending),
}

/// How a stream ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// The stream is complete.
    Proper,
    /// The connection is cut.
    Cut,
    /// The stream stays open and silent until the client leaves.
    Never,
}

/// A complete stream of these texts without pauses.
pub(crate) fn proper(parts: impl IntoIterator<Item = String>) -> Act {
    stream(parts, Ending::Proper)
}

/// A stream of these texts without pauses.
pub(crate) fn stream(parts: impl IntoIterator<Item = String>, ending: Ending) -> Act {
    Act::Stream(parts.into_iter().map(String::into_bytes).collect(), Duration::ZERO, ending)
}

/// An error of a provider, with a text that must never reach a client.
pub(crate) fn refusal(status: u16, headers: Vec<(&'static str, String)>) -> Act {
    let body = json!({"error": {"type": "some_error", "message": "internal-detail sk-secret"}});
    Act::Answer(status, headers, body.to_string())
}
