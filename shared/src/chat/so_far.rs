//! What a model has said so far, and what was counted of it.

use crate::domain::usage::estimated_tokens;
use crate::domain::{ModelName, Usage};
use crate::error::{Error, Result};
use crate::models::{Failure, FailureKind, Finish, Piece, Question};

/// A reply ends when its text has so many bytes.
const LONGEST_REPLY: usize = 256 * 1024;

/// Why nothing more comes from a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Finished(Finish),
    Failed(Failure),
}

/// What a piece means to those who watch.
pub(super) enum Step {
    Text(String),
    Thought(String),
    Ended(Ended),
    Nothing,
}

/// What a model has said so far.
#[derive(Debug, Default)]
pub(super) struct SoFar {
    /// The text, without what the model thought.
    pub(super) text: String,
    /// The model that answers, when it is not the one that was asked.
    pub(super) model: Option<ModelName>,
    /// How many of the oldest messages the model was not sent, for lack of room.
    pub(super) left_out: usize,
    /// Whether a provider may charge for the question.
    is_asked: bool,
    /// Tokens read and written, roughly.
    read: u64,
    tokens: u64,
    counted: Option<Usage>,
    is_counted_to_the_end: bool,
}

impl SoFar {
    /// Takes the next piece, and says what it is to the windows. Text beyond the longest reply is cut off.
    pub(super) fn take(&mut self, piece: Piece) -> Step {
        match piece {
            Piece::Text { mut text, tokens } => {
                let room = LONGEST_REPLY - self.text.len();
                text.truncate(text.floor_char_boundary(room));
                self.text.push_str(&text);
                self.tokens += tokens;
                return Step::Text(text);
            }
            Piece::Reasoning { text, tokens } => {
                self.tokens += tokens;
                return Step::Thought(text);
            }
            Piece::Asked => self.is_asked = true,
            Piece::Refused => self.is_asked = false,
            Piece::Model { id, left_out, read } => {
                self.model = Some(id);
                self.left_out += left_out;
                self.read = read;
            }
            Piece::Counted(usage) => self.counted = Some(usage),
            Piece::End { finish, usage } => {
                self.is_counted_to_the_end = usage.is_some();
                self.counted = usage.or(self.counted);
                return Step::Ended(Ended::Finished(finish));
            }
            Piece::Failed(failure) => {
                self.is_asked &= failure.may_cost();
                return Step::Ended(Ended::Failed(failure));
            }
        }
        Step::Nothing
    }

    /// Whether there is no room for more text.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() + 4 > LONGEST_REPLY
    }

    /// Remembers roughly how much the model reads, for a provider that does not count, or has no time to.
    pub(super) fn reads(&mut self, question: &Question) {
        self.read = question.estimated_tokens();
    }

    /// What was used: as the provider counts it, and by estimate as far as it did not. What came cannot have been free, and
    /// what no provider accepted is.
    pub(super) fn usage(&self) -> Usage {
        let is_counted = self.counted.is_some();
        let counted = self.counted.unwrap_or_default();
        let must_be_paid = self.tokens > 0 || self.is_asked && !is_counted;
        let input = if counted.input == 0 && must_be_paid { self.read } else { counted.input };
        let is_final = self.is_counted_to_the_end && counted.output > 0;
        let output = if is_final { counted.output } else { counted.output.max(self.tokens) };
        Usage { input, output, ..counted }
    }

    /// About how many tokens the next question has before what the user says then: this question and its reply, as the provider
    /// counts them or as we do, whichever is more. None when no model was asked.
    pub(super) fn past_after(&self, usage: &Usage) -> Option<u64> {
        let estimate = self.read + estimated_tokens(&self.text);
        Some(usage.total().max(estimate)).filter(|tokens| *tokens > 0)
    }

    /// What went wrong: a model that ends without a word has failed too.
    pub(super) fn failure(&self, ended: Ended) -> Option<Failure> {
        match ended {
            Ended::Failed(failure) => Some(failure),
            Ended::Finished(Finish::Filtered) if self.text.is_empty() => Some(FailureKind::Filtered.into()),
            Ended::Finished(Finish::Length) if self.text.is_empty() => Some(FailureKind::OutOfTokens.into()),
            Ended::Finished(_) if self.text.is_empty() => Some(FailureKind::Empty.into()),
            Ended::Finished(_) => None,
        }
    }

    /// Why the text ends where it ends.
    ///
    /// # Errors
    /// What went wrong, when there is no text at all.
    pub(super) fn finish_reason(&self, ended: Ended) -> Result<&'static str> {
        match (self.failure(ended), ended) {
            (Some(failure), _) if self.text.is_empty() => Err(Error::from(failure)),
            (None, Ended::Finished(Finish::Stop)) => Ok("stop"),
            (None, Ended::Finished(Finish::Length)) => Ok("length"),
            (None, Ended::Finished(Finish::Filtered)) => Ok("content_filter"),
            _ => Ok("interrupted"),
        }
    }
}
