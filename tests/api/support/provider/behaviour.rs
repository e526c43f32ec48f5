//! What a fake provider answers without a script.

use std::time::Duration;

use super::act::{Act, Ending, proper, refusal, stream};
use super::protocol::Protocol;
use super::request::{Asked, last_words};

/// First words that make the provider fail: `!500`, `!429` and `!reset` only at the first call, the others at each.
pub(crate) const FAULTS: [&str; 8] = ["!500", "fine", "!429", "!cut", "fine", "!reset", "!error", "!slow"];

/// Echoes the last message of the user word by word, unless it asks for a fault. Requests for titles are refused.
pub(super) fn behave(asked: &Asked, calls: u64) -> Act {
    let protocol = if asked.path.ends_with("/messages") { Protocol::Anthropic } else { Protocol::OpenAi };
    let text = last_words(asked);
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    let half = || {
        let texts = words.iter().take(words.len() / 2).map(|word| protocol.text(word));
        std::iter::once(protocol.begin(7)).chain(texts).collect::<Vec<_>>()
    };
    match (words.first().map(|word| word.trim()), calls) {
        (Some("!500"), 1) => refusal(500, Vec::new()),
        (Some("!429"), 1) => refusal(429, vec![("retry-after", "0.2".to_owned())]),
        (Some("!reset"), 1) => Act::Reset,
        (Some("!cut"), _) => stream(half(), Ending::Cut),
        (Some("!error"), _) => proper(half().into_iter().chain([protocol.error("overloaded_error")])),
        (Some("!slow"), _) => {
            let mut parts = half();
            parts.extend([protocol.finish("stop", 7, 5), protocol.done()]);
            Act::Stream(
                parts.into_iter().map(String::into_bytes).collect(),
                Duration::from_millis(300),
                Ending::Proper,
            )
        }
        (Some("User:"), _) => refusal(400, Vec::new()),
        _ => protocol.answer(&words),
    }
}
