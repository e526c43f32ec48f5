//! What a fake provider answers without a script.
use std::time::Duration;

use super::act::{Act, Ending, proper, refusal, stream};
use super::protocol::Protocol;
use super::request::{Asked, said};

/// What a user's words can begin with, to have the provider fail: at the first call of three of them, at each of the others.
pub(crate) const FAULTS: [&str; 8] = ["!500", "fine", "!429", "!cut", "fine", "!reset", "!error", "!slow"];

/// Repeats what the user said last, word by word, unless that asks for a fault. Titles are none of its business.
pub(super) fn behave(asked: &Asked, calls: u64) -> Act {
    let protocol = if asked.path.ends_with("/messages") { Protocol::Anthropic } else { Protocol::OpenAi };
    let text = said(asked);
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
