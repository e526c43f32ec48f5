//! Why a model failed, in our own terms. Nothing that a provider said gets into an error, since it may repeat the
//! question or the key.

use std::time::Duration;

use crate::error::{Code, Error};

/// What went wrong with a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The provider is overloaded, or limits our requests (429, 503, 529).
    Overloaded,
    /// The provider cannot be reached, or failed (5xx, connection resets).
    Unavailable,
    /// The provider stopped responding.
    TimedOut,
    /// The provider rejects our key, is not paid, or does not know the model. The operator has to act.
    Misconfigured,
    /// The provider rejected the request, for instance because it is too long for the model.
    Refused,
    /// The stream ended early, or could not be parsed.
    BrokeOff,
    /// The model finished without any text.
    Empty,
    /// The model used up its tokens before the first word of the answer.
    OutOfTokens,
    /// The provider's content filter withheld the answer.
    Filtered,
}

/// A failure of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelFailure {
    /// What went wrong.
    pub kind: FailureKind,
    /// How long the provider asks us to wait before the next request.
    pub retry_after: Option<Duration>,
    is_transient: bool,
    may_cost: bool,
}

impl From<FailureKind> for ModelFailure {
    fn from(kind: FailureKind) -> Self {
        use FailureKind::{BrokeOff, Overloaded, Unavailable};
        let is_transient = matches!(kind, Overloaded | Unavailable | BrokeOff);
        Self { kind, retry_after: None, is_transient, may_cost: false }
    }
}

impl ModelFailure {
    /// The provider did not answer in time. It may still charge for the request that we gave up.
    pub(super) fn timed_out() -> Self {
        Self { may_cost: true, ..Self::from(FailureKind::TimedOut) }
    }

    /// This failure, with the time that the provider asks us to wait.
    pub(super) fn after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// This failure as a permanent one, so that the model is not asked again.
    pub(super) fn permanent(self) -> Self {
        Self { is_transient: false, ..self }
    }

    /// Whether the same model may answer the same question a moment later.
    pub(super) fn is_transient(self) -> bool {
        self.is_transient
    }

    /// Whether the provider may charge for the request although no answer arrived.
    #[must_use]
    pub fn may_cost(self) -> bool {
        self.may_cost
    }

    /// Whether another model may answer the same question.
    pub(super) fn is_the_providers(self) -> bool {
        !matches!(self.kind, FailureKind::Refused | FailureKind::Filtered)
    }
}

/// The error for the client.
impl From<ModelFailure> for Error {
    fn from(failure: ModelFailure) -> Self {
        let (code, detail) = match failure.kind {
            FailureKind::Overloaded => {
                (Code::ModelOverloaded, "The model is overloaded at the moment. Please try again later.")
            }
            FailureKind::Unavailable => {
                (Code::ModelUnavailable, "The model cannot be reached at the moment.")
            }
            FailureKind::TimedOut => (Code::ModelTimeout, "The model stopped responding."),
            FailureKind::Misconfigured => {
                (Code::ModelMisconfigured, "The model is not configured correctly on the server.")
            }
            FailureKind::Refused => (Code::ModelRefused, "The model rejected the request."),
            FailureKind::BrokeOff => (Code::Interrupted, "The model's answer was interrupted."),
            FailureKind::Empty => (Code::EmptyReply, "The model sent an empty answer."),
            FailureKind::OutOfTokens => {
                let detail = "The model used up `max_tokens` before the first word of its answer.";
                (Code::MaxTokensReached, detail)
            }
            FailureKind::Filtered => {
                (Code::ContentFiltered, "The provider's content filter withheld the answer.")
            }
        };
        let seconds = failure.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        Self::new(code, detail).after(seconds)
    }
}
