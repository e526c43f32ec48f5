//! The error type of the studio. It knows no HTTP: `http::problem` maps each [`Code`] to a status.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::ParamOutOfRange;

/// The result of whatever can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for programs. The serialized names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The input breaks a rule.
    Invalid,
    /// The input is not valid JSON.
    MalformedJson,
    /// The body is not declared as `application/json`.
    UnsupportedMediaType,
    /// The body is larger than the route allows.
    BodyTooLarge,
    /// The token is missing or not valid.
    Unauthenticated,
    /// The username or the password is wrong.
    WrongCredentials,
    /// The password is right, but the code of the second factor is missing.
    TotpRequired,
    /// The password is right, but the code of the second factor is wrong or was used.
    WrongTotp,
    /// The caller is authenticated, but not allowed to do this.
    Forbidden,
    /// The resource does not exist, or belongs to another user.
    NotFound,
    /// Another account has the username.
    UsernameTaken,
    /// Another account has the email address.
    EmailTaken,
    /// The caller has a conversation with this id.
    ConversationExists,
    /// The caller deleted a conversation with this id in the last 24 h.
    ConversationDeleted,
    /// Another message of the conversation has this id.
    MessageExists,
    /// The conversation has changed since the version in `If-Match`.
    PreconditionFailed,
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused,
    /// A reply is being made in this conversation.
    ReplyRunning,
    /// The caller has made too many requests in this window of time.
    RateLimited,
    /// The connection was closed because its user opened too many others.
    TooManyConnections,
    /// There were too many wrong passwords or codes.
    TooManyAttempts,
    /// Other requests changed the resource at the same time, or its state does not allow the change.
    Conflict,
    /// The daily limit is reached.
    LimitReached,
    /// The user's storage is full.
    QuotaExceeded,
    /// The user has too many replies that are being made.
    TooManyReplies,
    /// The models are switched off.
    ModelsOff,
    /// The studio does not offer the model.
    UnknownModel,
    /// The provider of the model is overloaded.
    ModelOverloaded,
    /// The provider of the model is unavailable.
    ModelUnavailable,
    /// The model stopped responding.
    ModelTimeout,
    /// The provider refused the studio's key, or does not know the model.
    ModelMisconfigured,
    /// The model rejected the request.
    ModelRefused,
    /// The model ended without any text.
    EmptyReply,
    /// The model used up `max_tokens` before any text, usually by reasoning.
    MaxTokensReached,
    /// The provider's content filter blocked the reply.
    ContentFiltered,
    /// The reply was interrupted. Its text so far is kept.
    Interrupted,
    /// A service that the studio depends on is overloaded or unavailable.
    Unavailable,
    /// The studio failed.
    Internal,
}

impl Code {
    /// The serialized name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::MalformedJson => "malformed_json",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::BodyTooLarge => "body_too_large",
            Self::Unauthenticated => "unauthenticated",
            Self::WrongCredentials => "wrong_credentials",
            Self::TotpRequired => "totp_required",
            Self::WrongTotp => "wrong_totp",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::UsernameTaken => "username_taken",
            Self::EmailTaken => "email_taken",
            Self::ConversationExists => "conversation_exists",
            Self::ConversationDeleted => "conversation_deleted",
            Self::MessageExists => "message_exists",
            Self::PreconditionFailed => "precondition_failed",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::ReplyRunning => "reply_running",
            Self::RateLimited => "rate_limited",
            Self::TooManyConnections => "too_many_connections",
            Self::TooManyAttempts => "too_many_attempts",
            Self::Conflict => "conflict",
            Self::LimitReached => "limit_reached",
            Self::QuotaExceeded => "quota_exceeded",
            Self::TooManyReplies => "too_many_replies",
            Self::ModelsOff => "models_off",
            Self::UnknownModel => "unknown_model",
            Self::ModelOverloaded => "model_overloaded",
            Self::ModelUnavailable => "model_unavailable",
            Self::ModelTimeout => "model_timeout",
            Self::ModelMisconfigured => "model_misconfigured",
            Self::ModelRefused => "model_refused",
            Self::EmptyReply => "empty_reply",
            Self::MaxTokensReached => "max_tokens_reached",
            Self::ContentFiltered => "content_filtered",
            Self::Interrupted => "interrupted",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// Whether the studio or its configuration is at fault, so that its operator must be told.
    #[must_use]
    pub fn is_our_fault(self) -> bool {
        matches!(self, Self::Internal | Self::Unavailable | Self::ModelMisconfigured)
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::ReplyRunning
                | Self::RateLimited
                | Self::TooManyAttempts
                | Self::Conflict
                | Self::Unavailable
                | Self::Internal
                | Self::LimitReached
                | Self::TooManyReplies
                | Self::ModelsOff
                | Self::ModelOverloaded
                | Self::ModelUnavailable
                | Self::ModelTimeout
                | Self::EmptyReply
                | Self::Interrupted
        )
    }
}

/// A field that breaks a rule. It never contains input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The path of the field in the body, such as `messages[3].role`, or the name of a parameter or header.
    #[schema(example = "messages[3].role")]
    pub field: String,
    /// The rule that the field breaks.
    #[schema(example = "must be one of `user`, `assistant`, `system`")]
    pub detail: String,
}

/// An error: a code for programs, a sentence for people, and a cause for the log.
pub struct Error {
    code: Code,
    detail: String,
    fields: Vec<FieldError>,
    retry_after: Option<u64>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Creates an error with a sentence for the client, which must contain neither input nor internals.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), fields: Vec::new(), retry_after: None, source: None }
    }

    /// Creates an error for input that breaks a rule.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::Invalid, detail)
    }

    /// Creates an error for input of which one field breaks a rule.
    pub fn invalid_field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let (field, detail) = (field.into(), detail.into());
        let mut error = Self::new(Code::Invalid, format!("{field}: {detail}"));
        error.fields.push(FieldError { field, detail });
        error
    }

    /// Creates an error for a client that may try again after so many seconds.
    #[must_use]
    pub fn retry_after(code: Code, seconds: u64) -> Self {
        let detail = format!("Too many requests. Please try again in {seconds} s.");
        Self { retry_after: Some(seconds), ..Self::new(code, detail) }
    }

    /// Creates an error for a failure of the studio. Only the log shows `source`.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "Something went wrong on our side. Please try again.";
        Self { source: Some(source.into()), ..Self::new(Code::Internal, detail) }
    }

    /// Creates an error for a service that is overloaded or unavailable. Only the log shows `source`.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "The service is busy. Please try again in a moment.";
        Self { source: Some(source.into()), ..Self::new(Code::Unavailable, detail) }
    }

    /// Replaces the code.
    #[must_use]
    pub fn with_code(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// Sets the number of seconds after which the client may try again.
    #[must_use]
    pub fn after(self, retry_after: Option<u64>) -> Self {
        Self { retry_after, ..self }
    }

    /// Creates the error for a conversation that does not exist or belongs to another user.
    #[must_use]
    pub fn no_conversation() -> Self {
        Self::new(Code::NotFound, "Conversation not found")
    }

    /// Creates the error for a reached daily limit. The next day begins in so many seconds.
    #[must_use]
    pub fn over_the_day(seconds: u64) -> Self {
        Self::new(Code::LimitReached, "Today's limit is reached").after(Some(seconds))
    }

    /// The user's conversations would take more bytes than the user may store.
    #[must_use]
    pub fn quota_exceeded() -> Self {
        let detail = "Your conversations take all the space that you may use. Please delete some";
        Self::new(Code::QuotaExceeded, detail).after(Some(3600))
    }

    /// What went wrong, for programs.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// What went wrong, in a sentence for the client.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// After how many seconds the client may try again, if that is known.
    #[must_use]
    pub fn seconds_to_wait(&self) -> Option<u64> {
        self.retry_after
    }

    /// The fields that break a rule.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.fields
    }
}

/// [`crate::error::Code::Invalid`] with the field that is out of range.
impl From<ParamOutOfRange> for Error {
    fn from(ParamOutOfRange { field, rule }: ParamOutOfRange) -> Self {
        Self::invalid_field(field, rule)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// Writes the code and the chain of causes, for the log.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.as_str())?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
