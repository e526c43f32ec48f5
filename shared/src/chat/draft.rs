//! The draft of a reply: the text that has arrived from a model, and the tokens it has used.

use crate::domain::usage::estimated_tokens;
use crate::domain::{ModelName, Usage};
use crate::error::{Error, Result};
use crate::models::{FailureKind, Finish, ModelFailure, Piece, Question};

/// A reply ends when its text has this many bytes.
const MAX_REPLY_BYTES: usize = 256 * 1024;
/// The longest UTF-8 encoding of a character.
const MAX_CHAR_BYTES: usize = 4;

/// How the stream of a model ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModelEnd {
    Finished(Finish),
    Failed(ModelFailure),
}

/// What a piece means for subscribers.
pub(super) enum Step {
    Text(String),
    Reasoning(String),
    Ended(ModelEnd),
    Nothing,
}

/// A reply while it is generated.
#[derive(Debug, Default)]
pub(super) struct ReplyDraft {
    /// The text, without reasoning.
    pub(super) text: String,
    /// The model that answers, when it is not the one that was asked.
    pub(super) model: Option<ModelName>,
    /// How many of the oldest messages did not fit into the model's context window.
    pub(super) left_out: usize,
    /// Whether a provider may charge for the question.
    is_asked: bool,
    /// An estimate of the tokens that the model reads.
    estimated_input: u64,
    /// An estimate of the tokens that the model has written.
    estimated_output: u64,
    /// What the provider has counted.
    counted: Option<Usage>,
    /// Whether the provider has counted all output.
    is_counted_to_the_end: bool,
}

impl ReplyDraft {
    /// Adds the next piece, and returns what it means for subscribers. Text beyond the maximum is cut off.
    pub(super) fn take(&mut self, piece: Piece) -> Step {
        match piece {
            Piece::Text { mut text, tokens } => {
                let room = MAX_REPLY_BYTES - self.text.len();
                text.truncate(text.floor_char_boundary(room));
                self.text.push_str(&text);
                self.estimated_output += tokens;
                return Step::Text(text);
            }
            Piece::Reasoning { text, tokens } => {
                self.estimated_output += tokens;
                return Step::Reasoning(text);
            }
            Piece::Asked => self.is_asked = true,
            Piece::Refused => self.is_asked = false,
            Piece::Model { id, left_out, read } => {
                self.model = Some(id);
                self.left_out += left_out;
                self.estimated_input = read;
            }
            Piece::Counted(usage) => self.counted = Some(usage),
            Piece::End { finish, usage } => {
                self.is_counted_to_the_end = usage.is_some();
                self.counted = usage.or(self.counted);
                return Step::Ended(ModelEnd::Finished(finish));
            }
            Piece::Failed(failure) => {
                self.is_asked &= failure.may_cost();
                return Step::Ended(ModelEnd::Failed(failure));
            }
        }
        Step::Nothing
    }

    /// Whether there may be no room for another character.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() + MAX_CHAR_BYTES > MAX_REPLY_BYTES
    }

    /// Estimates how many tokens the model reads, in case the provider does not count them.
    pub(super) fn estimate_input(&mut self, question: &Question) {
        self.estimated_input = question.estimated_tokens();
    }

    /// The tokens used: those that the provider has counted, and an estimate of the rest. Received text is always
    /// charged; a prompt that every provider rejected is free.
    pub(super) fn usage(&self) -> Usage {
        let is_counted = self.counted.is_some();
        let counted = self.counted.unwrap_or_default();
        let must_be_paid = self.estimated_output > 0 || self.is_asked && !is_counted;
        let input = if counted.input == 0 && must_be_paid { self.estimated_input } else { counted.input };
        let is_final = self.is_counted_to_the_end && counted.output > 0;
        let output = if is_final { counted.output } else { counted.output.max(self.estimated_output) };
        Usage { input, output, ..counted }
    }

    /// About how many tokens of history the next turn will have: this question and its reply, as counted by the
    /// provider or as estimated, whichever is larger. `None` when no model was asked.
    pub(super) fn history_tokens(&self, usage: &Usage) -> Option<u64> {
        let estimate = self.estimated_input + estimated_tokens(&self.text);
        Some(usage.total().max(estimate)).filter(|tokens| *tokens > 0)
    }

    /// What went wrong, if anything. A model that finished without any text has failed.
    pub(super) fn failure(&self, end: ModelEnd) -> Option<ModelFailure> {
        match end {
            ModelEnd::Failed(failure) => Some(failure),
            ModelEnd::Finished(_) if !self.text.is_empty() => None,
            ModelEnd::Finished(Finish::Filtered) => Some(FailureKind::Filtered.into()),
            ModelEnd::Finished(Finish::Length) => Some(FailureKind::OutOfTokens.into()),
            ModelEnd::Finished(Finish::Stop) => Some(FailureKind::Empty.into()),
        }
    }

    /// The `finish_reason` of the reply.
    ///
    /// # Errors
    /// The failure, when there is no text.
    pub(super) fn finish_reason(&self, end: ModelEnd) -> Result<&'static str> {
        match (self.failure(end), end) {
            (Some(failure), _) if self.text.is_empty() => Err(Error::from(failure)),
            (None, ModelEnd::Finished(Finish::Stop)) => Ok("stop"),
            (None, ModelEnd::Finished(Finish::Length)) => Ok("length"),
            (None, ModelEnd::Finished(Finish::Filtered)) => Ok("content_filter"),
            _ => Ok("interrupted"),
        }
    }
}
