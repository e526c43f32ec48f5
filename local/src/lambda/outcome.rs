//! The outcome of an invocation.

use bytes::Bytes;

/// The maximum size of an event and an answer of a synchronous call: slightly more than 6 MB, as in Lambda.
pub(crate) const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024 + 100;
/// The maximum size of an event of an asynchronous call.
pub(crate) const ASYNCHRONOUS_LIMIT: usize = 1024 * 1024;

/// The outcome of an invocation: the bytes of the answer, or an error.
pub(crate) type Outcome = Result<Bytes, InvokeError>;

/// The reason why an invocation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The function reported an error: its handler failed or panicked.
    #[error("{error_type}: {message}")]
    FunctionError {
        /// `errorType` of the error document.
        error_type: String,
        /// `errorMessage` of the error document.
        message: String,
    },
    /// The function did not answer within its timeout. The instance is killed.
    #[error("task timed out after {seconds} seconds")]
    TimedOut {
        /// The timeout in seconds.
        seconds: u64,
    },
    /// The instance ended during the event, or before it asked for one.
    #[error("runtime exited: {0}")]
    Crashed(String),
    /// The answer has more than 6 MB.
    #[error("the answer is too large ({0} bytes)")]
    TooLarge(usize),
    /// The event has more than 6 MB. The function is not invoked.
    #[error("the event is too large ({0} bytes)")]
    EventTooLarge(usize),
    /// The answer is not JSON.
    #[error("the answer is not JSON")]
    NotJson,
    /// The template has no function with this name.
    #[error("there is no function {0}")]
    UnknownFunction(String),
}

impl InvokeError {
    /// Reads an error document that a function sent to the Runtime API.
    pub(crate) fn from_document(document: &[u8]) -> Self {
        #[derive(Default, serde::Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct ErrorDocument {
            error_type: String,
            error_message: String,
        }
        let document: ErrorDocument = serde_json::from_slice(document).unwrap_or_default();
        Self::FunctionError { error_type: document.error_type, message: document.error_message }
    }

    /// The error document that Lambda returns to a synchronous caller.
    pub(crate) fn document(&self) -> String {
        let (kind, message) = match self {
            Self::FunctionError { error_type, message } => (error_type.as_str(), message.clone()),
            Self::TimedOut { .. } => ("Sandbox.Timedout", self.to_string()),
            Self::Crashed(_) => ("Runtime.ExitError", self.to_string()),
            Self::TooLarge(_) => ("Function.ResponseSizeTooLarge", self.to_string()),
            Self::EventTooLarge(_) => ("RequestTooLargeException", self.to_string()),
            Self::NotJson => ("Runtime.MarshalError", self.to_string()),
            Self::UnknownFunction(_) => ("ResourceNotFoundException", self.to_string()),
        };
        serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string()
    }
}
