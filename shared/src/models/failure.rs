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
    /// It fell silent.
    TimedOut,
    /// It does not take our key, or does not know the model: whoever runs the studio must see to it.
    Misconfigured,
    /// It does not take the question: too long for the model, for instance.
    Refused,
    /// It broke off, or said what cannot be understood.
    BrokeOff,
    /// It ended without a word.
    Empty,
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
}

impl From<FailureKind> for Failure {
    fn from(kind: FailureKind) -> Self {
        Self { kind, retry_after: None }
    }
}

impl Failure {
    /// What an answer of the provider with this status means.
    pub(super) fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        let kind = match status {
            429 | 503 | 529 => FailureKind::Overloaded,
            401 | 403 | 404 => FailureKind::Misconfigured,
            408 => FailureKind::TimedOut,
            400..=499 => FailureKind::Refused,
            _ => FailureKind::Unavailable,
        };
        Self { kind, retry_after }
    }

    /// What an error object means that names its kind, in an answer or in the middle of a stream.
    pub(super) fn of_name(name: &str) -> Self {
        let kind = match name {
            "overloaded_error" | "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" => {
                FailureKind::Overloaded
            }
            "authentication_error" | "permission_error" | "not_found_error" | "invalid_api_key" => {
                FailureKind::Misconfigured
            }
            "invalid_request_error" | "request_too_large" | "context_length_exceeded" => FailureKind::Refused,
            "timeout_error" => FailureKind::TimedOut,
            "content_filter" => FailureKind::Filtered,
            _ => FailureKind::Unavailable,
        };
        Self::from(kind)
    }

    /// Whether the same model may answer the same question a moment later.
    pub(super) fn is_passing(self) -> bool {
        use FailureKind::{BrokeOff, Overloaded, Unavailable};
        matches!(self.kind, Overloaded | Unavailable | BrokeOff)
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
            FailureKind::TimedOut => (Code::ModelTimeout, "The model fell silent."),
            FailureKind::Misconfigured => (Code::ModelMisconfigured, "The model is not set up."),
            FailureKind::Refused => (Code::ModelRefused, "The model does not take this question."),
            FailureKind::BrokeOff => (Code::Interrupted, "The model broke off."),
            FailureKind::Empty => (Code::EmptyReply, "The model gave no answer."),
            FailureKind::Filtered => (Code::ContentFiltered, "The model may not answer this."),
        };
        let seconds = failure.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        Self::new(code, detail).after(seconds)
    }
}
