//! What of a conversation a model is sent: as much of the recent past as it has room for.

use super::{Entry, Said};
use crate::domain::usage::estimated_tokens;
use crate::domain::{GenerationParams, Role};

/// What stands around a message, in tokens.
const AROUND_MESSAGE: u64 = 8;
/// The past is cut in steps of so many parts of the room there is. Between two cuts a question begins like the one before, so
/// that a provider's cache knows it.
const STEPS: u64 = 4;

/// What is sent.
#[derive(Debug, PartialEq)]
pub struct Fitted {
    /// Instructions first, then the latest messages.
    pub messages: Vec<Said>,
    /// How many older ones are not among them.
    pub left_out: usize,
    /// How the reply is generated, within the room that the model has for it.
    pub params: GenerationParams,
}

/// Instructions, and as many of the latest turns as fit the model's window beside the reply. A turn, which is what the user
/// says and all that follows until the user speaks again, is sent whole or not at all; the last one always is.
#[must_use]
pub fn fit(messages: Vec<Said>, entry: &Entry, params: GenerationParams) -> Fitted {
    let half = u32::try_from(entry.context_window / 2).unwrap_or(u32::MAX);
    let max_tokens = entry.max_tokens_of_reply(params).min(entry.max_output).min(half);
    let (instructions, said): (Vec<_>, Vec<_>) =
        messages.into_iter().partition(|message| message.role == Role::System);
    let room = entry.context_window.saturating_sub(u64::from(max_tokens)).saturating_sub(size(&instructions));
    let first = first_that_fits(&said, room);
    let kept = said.into_iter().skip(first);
    let messages = instructions.into_iter().chain(kept).collect();
    Fitted { messages, left_out: first, params: params.with_max_tokens(max_tokens) }
}

/// The place of the first message that is sent.
fn first_that_fits(said: &[Said], room: u64) -> usize {
    let total = size(said);
    if total <= room {
        return 0;
    }
    let step = (room / STEPS).max(1);
    let must_go = (total - room).div_ceil(step) * step;
    let (mut first, mut before) = (0, 0);
    for (place, message) in said.iter().enumerate() {
        if message.role == Role::User {
            first = place;
            if before >= must_go {
                break;
            }
        }
        before += size(std::slice::from_ref(message));
    }
    first
}

/// How many tokens messages take, rather too many than too few.
fn size(messages: &[Said]) -> u64 {
    let tokens = |message: &Said| estimated_tokens(message.content.as_str()) * 6 / 5 + AROUND_MESSAGE;
    messages.iter().map(tokens).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(role: Role, tokens: usize) -> Said {
        Said { role, content: "word".repeat(tokens).parse().unwrap() }
    }

    fn history(turns: usize) -> Vec<Said> {
        let turn = || [said(Role::User, 40), said(Role::Assistant, 60)];
        [said(Role::System, 10)].into_iter().chain((0..turns).flat_map(|_| turn())).collect()
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
    fn a_long_one_loses_whole_turns_from_its_beginning_and_fits() {
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
    fn the_beginning_stays_the_same_for_several_turns() {
        let cuts: Vec<usize> =
            (10..40).map(|turns| fit(history(turns), &entry(1500), at_most(500)).left_out).collect();
        let changes = cuts.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes <= 16 && cuts.is_sorted(), "{cuts:?}");
    }

    #[test]
    fn the_last_turn_is_sent_whatever_it_takes() {
        let fitted = fit(
            vec![said(Role::User, 5), said(Role::Assistant, 5), said(Role::User, 5000)],
            &entry(1000),
            at_most(500),
        );
        assert_eq!((fitted.messages.len(), fitted.left_out), (1, 2));
    }
}
