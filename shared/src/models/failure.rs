//! Why a model gave no reply, or broke off: for programs, without anything that the provider said.

use std::time::Duration;

use crate::error::{Code, Error};

/// What went wrong with a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// It has too much to do, or we ask too often (429, 503, 529).
    Overloaded,
    /// It is out of reach, or failed (5xx, resets).
    Unavailable,
    /// It stopped responding.
    TimedOut,
    /// It does not accept our key, is not paid, or does not know the model: whoever runs the studio must see to it.
    Misconfigured,
    /// It rejected the question: too long for the model, for instance.
    Refused,
    /// It broke off, or said what cannot be understood.
    BrokeOff,
    /// It ended without a word.
    Empty,
    /// It used up all of its tokens before the first word of the answer.
    OutOfTokens,
    /// It says that its rules forbid the answer.
    Filtered,
}

/// A provider's failure, and when it may be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// How long the provider asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether the same model may answer the same question a moment later.
    is_passing: bool,
    /// Whether the provider had the question when we gave it up, and may charge for it.
    may_cost: bool,
}

impl From<FailureKind> for Failure {
    fn from(kind: FailureKind) -> Self {
        use FailureKind::{BrokeOff, Overloaded, Unavailable};
        let is_passing = matches!(kind, Overloaded | Unavailable | BrokeOff);
        Self { kind, retry_after: None, is_passing, may_cost: false }
    }
}

impl Failure {
    /// The provider did not answer in time.
    pub(super) fn silence() -> Self {
        Self { may_cost: true, ..Self::from(FailureKind::TimedOut) }
    }

    /// This failure, with the time that the provider asks to wait before the next try.
    pub(super) fn after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// This failure as one that will not pass by itself, so the model is not asked again.
    pub(super) fn for_good(self) -> Self {
        Self { is_passing: false, ..self }
    }

    /// Whether the same model may answer the same question a moment later.
    pub(super) fn is_passing(self) -> bool {
        self.is_passing
    }

    /// Whether the provider may charge for the question, though nothing came.
    #[must_use]
    pub fn may_cost(self) -> bool {
        self.may_cost
    }

    /// Whether another model may answer the same question.
    pub(super) fn is_the_providers(self) -> bool {
        !matches!(self.kind, FailureKind::Refused | FailureKind::Filtered)
    }
}

/// For the client: what happened, and nothing of the provider.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let (code, detail) = match failure.kind {
            FailureKind::Overloaded => (Code::ModelOverloaded, "The model has too much to do at the moment."),
            FailureKind::Unavailable => (Code::ModelUnavailable, "The model is out of reach."),
            FailureKind::TimedOut => (Code::ModelTimeout, "The model stopped responding."),
            FailureKind::Misconfigured => (Code::ModelMisconfigured, "The model is not set up."),
            FailureKind::Refused => (Code::ModelRefused, "The model rejected the request."),
            FailureKind::BrokeOff => (Code::Interrupted, "The model broke off."),
            FailureKind::Empty => (Code::EmptyReply, "The model gave no answer."),
            FailureKind::OutOfTokens => {
                let detail = "The model used up `max_tokens` before the first word of its answer.";
                (Code::MaxTokensReached, detail)
            }
            FailureKind::Filtered => (Code::ContentFiltered, "The model may not answer this."),
        };
        let seconds = failure.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        Self::new(code, detail).after(seconds)
    }
}
