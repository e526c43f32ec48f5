//! How far a provider's stream has come: what was said, why it ends, what was counted, and whether all of it was understood.

use super::loose::Json;
use crate::domain::Usage;
use crate::models::failure::{Failure, FailureKind};
use crate::models::speech::{Speech, Voice};
use crate::models::{Finish, Piece};

/// What is known of a stream.
#[derive(Debug, Default)]
pub(in crate::models) struct Course {
    speech: Speech,
    reason: Option<Reason>,
    usage: Option<Usage>,
    /// Whether output was counted after the last text.
    is_counted_to_the_end: bool,
    /// Whether text came after a reason to finish, since [`Course::went_on`] was last asked.
    went_on: bool,
    is_odd: bool,
}

/// What a provider says of the end.
#[derive(Clone, Copy, Debug)]
enum Reason {
    Good(Finish),
    /// Not one that a protocol names: something broke on the provider's side.
    Bad,
}

impl Reason {
    fn named(name: &str) -> Option<Self> {
        Some(Self::Good(match name.trim().to_ascii_lowercase().as_str() {
            "" | "null" | "none" => return None,
            "stop" | "end_turn" | "stop_sequence" | "eos" | "eos_token" | "tool_calls" | "function_call"
            | "tool_use" | "pause_turn" => Finish::Stop,
            "length" | "max_tokens" | "model_length" | "model_context_window_exceeded" => Finish::Length,
            "content_filter" | "refusal" => Finish::Filtered,
            _ => return Some(Self::Bad),
        }))
    }
}

impl Course {
    /// The pieces of what was said or thought.
    pub(in crate::models) fn take(&mut self, said: Option<Json<'_>>, voice: Voice) -> Vec<Piece> {
        let pieces = self.speech.take(said, voice);
        if !pieces.is_empty() {
            self.is_counted_to_the_end = false;
            self.went_on |= self.is_finished();
        }
        pieces
    }

    /// Whether more text came although there was a reason to finish, since this was last asked. Some servers give the reason in
    /// every chunk.
    pub(in crate::models) fn went_on(&mut self) -> bool {
        std::mem::take(&mut self.went_on)
    }

    /// Takes the reason to finish: text, or an object whose `type` is the reason. A bad reason stays.
    pub(in crate::models) fn finish(&mut self, reason: Option<Json<'_>>) {
        let Some(reason) = reason else { return };
        let name = reason.text().or_else(|| reason.get("type")?.text());
        let reason = name.map_or(Some(Reason::Bad), |name| Reason::named(&name));
        if !matches!(self.reason, Some(Reason::Bad)) {
            self.reason = reason.or(self.reason);
        }
    }

    /// Takes what was counted. Counts only grow: some providers say 0 at the end of what they had counted before.
    pub(in crate::models) fn count(&mut self, now: Usage) -> Piece {
        let before = self.usage.unwrap_or_default();
        let usage = Usage {
            input: before.input.max(now.input),
            cached: before.cached.max(now.cached),
            cache_written: before.cache_written.max(now.cache_written),
            output: before.output.max(now.output),
        };
        self.usage = Some(usage);
        self.is_counted_to_the_end |= now.output > 0;
        Piece::Counted(usage)
    }

    /// What was counted so far.
    pub(in crate::models) fn usage(&self) -> Usage {
        self.usage.unwrap_or_default()
    }

    /// Notes an event that is not of the protocol: after it, only a reason to finish is a sign that all has come.
    pub(in crate::models) fn note_oddity(&mut self) {
        self.is_odd = true;
    }

    /// Whether the provider has said why it finishes.
    pub(in crate::models) fn is_finished(&self) -> bool {
        self.reason.is_some()
    }

    /// The last pieces, when the provider says that this is the end.
    pub(in crate::models) fn done(&mut self) -> Vec<Piece> {
        match self.reason {
            None if !self.is_odd => self.end_with(Finish::Stop),
            _ => self.end(),
        }
    }

    /// The last pieces, when nothing more comes.
    pub(in crate::models) fn end(&mut self) -> Vec<Piece> {
        match self.reason {
            Some(Reason::Good(finish)) => self.end_with(finish),
            Some(Reason::Bad) | None => self.fail(FailureKind::BrokeOff.into()),
        }
    }

    /// The last pieces, when something went wrong.
    pub(in crate::models) fn fail(&mut self, failure: Failure) -> Vec<Piece> {
        self.last(Piece::Failed(failure))
    }

    fn end_with(&mut self, finish: Finish) -> Vec<Piece> {
        let usage = self.usage.filter(|_| self.is_counted_to_the_end);
        self.last(Piece::End { finish, usage })
    }

    fn last(&mut self, last: Piece) -> Vec<Piece> {
        let rest = self.speech.end().into_iter();
        rest.chain([last]).collect()
    }
}
