//! The state of a provider's stream: its text, its finish reason, its token counts, and whether all events were
//! understood.

use super::lenient_json::Json;
use crate::domain::Usage;
use crate::models::failure::{FailureKind, ModelFailure};
use crate::models::reply_text::{ReplyText, TextKind};
use crate::models::{Finish, Piece};

/// The state of a stream while it is read.
#[derive(Debug, Default)]
pub(in crate::models) struct StreamState {
    text: ReplyText,
    reason: Option<FinishReason>,
    usage: Option<Usage>,
    /// Whether output was counted after the last text.
    is_counted_to_the_end: bool,
    /// Whether text arrived after the finish reason, since the last call of [`StreamState::take_went_on`].
    went_on: bool,
    has_unknown_events: bool,
}

/// The finish reason of a provider.
#[derive(Clone, Copy, Debug)]
enum FinishReason {
    Known(Finish),
    /// Not a reason of any protocol: something failed at the provider.
    Unknown,
}

impl FinishReason {
    fn parse(name: &str) -> Option<Self> {
        Some(Self::Known(match name.trim().to_ascii_lowercase().as_str() {
            "" | "null" | "none" => return None,
            "stop" | "end_turn" | "stop_sequence" | "eos" | "eos_token" | "tool_calls" | "function_call"
            | "tool_use" | "pause_turn" => Finish::Stop,
            "length" | "max_tokens" | "model_length" | "model_context_window_exceeded" => Finish::Length,
            "content_filter" | "refusal" => Finish::Filtered,
            _ => return Some(Self::Unknown),
        }))
    }
}

impl StreamState {
    /// The pieces in a value that holds text or reasoning.
    pub(in crate::models) fn take(&mut self, value: Option<Json<'_>>, kind: TextKind) -> Vec<Piece> {
        let pieces = self.text.take(value, kind);
        if !pieces.is_empty() {
            self.is_counted_to_the_end = false;
            self.went_on |= self.is_finished();
        }
        pieces
    }

    /// Whether text arrived after the finish reason since the last call. Some servers send the finish reason with every
    /// chunk.
    pub(in crate::models) fn take_went_on(&mut self) -> bool {
        std::mem::take(&mut self.went_on)
    }

    /// Reads the finish reason: a text, or an object whose `type` is the reason. An unknown reason is never replaced.
    pub(in crate::models) fn finish(&mut self, reason: Option<Json<'_>>) {
        let Some(reason) = reason else { return };
        let name = reason.text().or_else(|| reason.get("type")?.text());
        let reason = name.map_or(Some(FinishReason::Unknown), |name| FinishReason::parse(&name));
        if !matches!(self.reason, Some(FinishReason::Unknown)) {
            self.reason = reason.or(self.reason);
        }
    }

    /// Reads token counts. Counts only grow, since some providers report 0 at the end for what they counted before.
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

    /// The token counts so far.
    pub(in crate::models) fn usage(&self) -> Usage {
        self.usage.unwrap_or_default()
    }

    /// Records an event that the protocol does not know. After it, the stream is complete only with a finish
    /// reason.
    pub(in crate::models) fn note_unknown_event(&mut self) {
        self.has_unknown_events = true;
    }

    /// Whether the provider has sent a finish reason.
    pub(in crate::models) fn is_finished(&self) -> bool {
        self.reason.is_some()
    }

    /// The last pieces, when the provider has announced the end of the stream.
    pub(in crate::models) fn done(&mut self) -> Vec<Piece> {
        match self.reason {
            None if !self.has_unknown_events => self.end_with(Finish::Stop),
            _ => self.end(),
        }
    }

    /// The last pieces, when the connection has closed.
    pub(in crate::models) fn end(&mut self) -> Vec<Piece> {
        match self.reason {
            Some(FinishReason::Known(finish)) => self.end_with(finish),
            Some(FinishReason::Unknown) | None => self.fail(FailureKind::BrokeOff.into()),
        }
    }

    /// The last pieces, after a failure.
    pub(in crate::models) fn fail(&mut self, failure: ModelFailure) -> Vec<Piece> {
        self.last(Piece::Failed(failure))
    }

    fn end_with(&mut self, finish: Finish) -> Vec<Piece> {
        let usage = self.usage.filter(|_| self.is_counted_to_the_end);
        self.last(Piece::End { finish, usage })
    }

    fn last(&mut self, last: Piece) -> Vec<Piece> {
        let rest = self.text.end().into_iter();
        rest.chain([last]).collect()
    }
}
