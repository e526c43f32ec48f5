//! Cuts a conversation to the context window of a model.

use super::{Entry, PromptMessage};
use crate::domain::usage::estimated_tokens;
use crate::domain::{GenerationParams, Role};

/// The tokens that a provider adds around each message.
const MESSAGE_OVERHEAD: u64 = 8;
/// History is cut in steps of a quarter of the context window. Between two cuts, each question begins like the previous
/// one, so that the provider's prompt cache applies.
const STEPS: u64 = 4;

/// A conversation that fits into the context window of a model.
#[derive(Debug, PartialEq)]
pub struct Fitted {
    /// The system messages, then the latest other messages.
    pub messages: Vec<PromptMessage>,
    /// How many of the oldest messages were left out.
    pub left_out: usize,
    /// The generation parameters, with `max_tokens` limited to what the model can write.
    pub params: GenerationParams,
}

/// Keeps the system messages, and as many of the latest turns as fit into the context window together with the reply. A
/// turn is a user's message with everything up to the next user's message. It is kept whole or left out whole; the last
/// turn is always kept.
#[must_use]
pub fn fit(messages: Vec<PromptMessage>, entry: &Entry, params: GenerationParams) -> Fitted {
    let half = u32::try_from(entry.context_window / 2).unwrap_or(u32::MAX);
    let max_tokens = entry.max_tokens_of_reply(params).min(entry.max_output).min(half);
    let (system, rest): (Vec<_>, Vec<_>) =
        messages.into_iter().partition(|message| message.role == Role::System);
    let room = entry.context_window.saturating_sub(u64::from(max_tokens)).saturating_sub(size(&system));
    let first = first_that_fits(&rest, room);
    let kept = rest.into_iter().skip(first);
    let messages = system.into_iter().chain(kept).collect();
    Fitted { messages, left_out: first, params: params.with_max_tokens(max_tokens) }
}

/// The index of the first message that is kept.
fn first_that_fits(messages: &[PromptMessage], room: u64) -> usize {
    let total = size(messages);
    if total <= room {
        return 0;
    }
    let step = (room / STEPS).max(1);
    let must_leave = (total - room).div_ceil(step) * step;
    let (mut first, mut before) = (0, 0);
    for (index, message) in messages.iter().enumerate() {
        if message.role == Role::User {
            first = index;
            if before >= must_leave {
                break;
            }
        }
        before += size(std::slice::from_ref(message));
    }
    first
}

/// An estimate of the tokens of messages, with a fifth added to be safe.
fn size(messages: &[PromptMessage]) -> u64 {
    let tokens =
        |message: &PromptMessage| estimated_tokens(message.content.as_str()) * 6 / 5 + MESSAGE_OVERHEAD;
    messages.iter().map(tokens).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Role, tokens: usize) -> PromptMessage {
        PromptMessage { role, content: "word".repeat(tokens).parse().unwrap() }
    }

    fn history(turns: usize) -> Vec<PromptMessage> {
        let turn = || [message(Role::User, 40), message(Role::Assistant, 60)];
        [message(Role::System, 10)].into_iter().chain((0..turns).flat_map(|_| turn())).collect()
    }

    fn entry(window: u64) -> Entry {
        Entry { context_window: window, max_output: 100, ..Entry::offline("m".parse().unwrap()) }
    }

    fn at_most(tokens: u32) -> GenerationParams {
        GenerationParams::parse(None, Some(tokens)).unwrap()
    }

    #[test]
    fn a_short_conversation_is_sent_whole() {
        let fitted = fit(history(3), &entry(8000), at_most(4000));
        assert_eq!((fitted.messages.len(), fitted.left_out, fitted.params.max_tokens()), (7, 0, Some(100)));
    }

    #[test]
    fn a_long_conversation_loses_its_oldest_turns_and_then_fits() {
        for turns in 1..40 {
            let fitted = fit(history(turns), &entry(1500), at_most(500));
            assert_eq!(fitted.messages[0].role, Role::System);
            assert_eq!(fitted.messages[1].role, Role::User, "{turns}");
            assert_eq!(fitted.messages.len() + fitted.left_out, 1 + 2 * turns);
            assert!(size(&fitted.messages) + 100 <= 1500, "{turns}");
            assert!(turns < 9 || fitted.messages.len() > 12, "{turns}: {}", fitted.messages.len());
        }
    }

    #[test]
    fn the_first_message_that_is_kept_stays_the_same_for_several_turns() {
        let cuts: Vec<usize> =
            (10..40).map(|turns| fit(history(turns), &entry(1500), at_most(500)).left_out).collect();
        let changes = cuts.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes <= 16 && cuts.is_sorted(), "{cuts:?}");
    }

    #[test]
    fn the_last_turn_is_sent_even_if_it_does_not_fit() {
        let fitted = fit(
            vec![message(Role::User, 5), message(Role::Assistant, 5), message(Role::User, 5000)],
            &entry(1000),
            at_most(500),
        );
        assert_eq!((fitted.messages.len(), fitted.left_out), (1, 2));
    }
}
