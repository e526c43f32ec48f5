//! One error for everything that can go wrong. It knows no HTTP: `http::problem` gives each [`Code`] its status.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The result of whatever can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for programs. The names on the wire are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The input is JSON, but breaks a rule.
    Invalid,
    /// The input is not JSON at all.
    MalformedJson,
    /// The body is not declared as `application/json`.
    UnsupportedMediaType,
    /// The body is larger than its route allows.
    BodyTooLarge,
    /// No token, or none that counts.
    Unauthenticated,
    /// The name or the password is wrong; which of them is not told.
    WrongCredentials,
    /// The password is right, and a code of the second factor is asked for.
    TotpRequired,
    /// The password is right, and the code of the second factor is wrong or was used.
    WrongTotp,
    /// The caller is known, but may not do this.
    Forbidden,
    /// There is no such thing, or it is somebody else's.
    NotFound,
    /// The username belongs to somebody.
    UsernameTaken,
    /// The email address belongs to somebody.
    EmailTaken,
    /// The caller has a conversation with this id already.
    ConversationExists,
    /// The caller deleted the conversation with this id.
    ConversationDeleted,
    /// Another message of the conversation has this id.
    MessageExists,
    /// The conversation is not as the client saw it.
    PreconditionFailed,
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused,
    /// A reply is being made in this conversation.
    ReplyRunning,
    /// More requests than the limit allows; the next window brings new ones.
    RateLimited,
    /// The connection gave way to another one of its user.
    TooManyConnections,
    /// Too many wrong guesses; after a wait, another may be made.
    TooManyAttempts,
    /// Somebody else changed the same thing again and again; trying later may succeed.
    Conflict,
    /// What may be spent in a day is spent.
    LimitReached,
    /// What a user may store is stored.
    QuotaExceeded,
    /// As many replies as are allowed at a time are being made.
    TooManyReplies,
    /// Models are switched off.
    ModelsOff,
    /// There is no such model here.
    UnknownModel,
    /// The provider of the model has too much to do.
    ModelOverloaded,
    /// The provider of the model is out of reach.
    ModelUnavailable,
    /// The provider of the model fell silent.
    ModelTimeout,
    /// The provider does not take our key, or does not know the model.
    ModelMisconfigured,
    /// The provider does not take the question.
    ModelRefused,
    /// The model ended without a word.
    EmptyReply,
    /// The model used up its tokens before the first word of its answer, on thoughts as a rule.
    MaxTokensReached,
    /// The provider's rules forbid the answer.
    ContentFiltered,
    /// A reply broke off; what had come is kept.
    Interrupted,
    /// A service behind us is overloaded or out of reach; trying later may succeed.
    Unavailable,
    /// Our fault.
    Internal,
}

impl Code {
    /// The name of this code on the wire.
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

    /// Whether whoever runs the studio should hear of it.
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

/// A rule that one field breaks. Neither part repeats what the client sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where in the body, as `messages[3].role`; or a parameter's name.
    #[schema(example = "messages[3].role")]
    pub field: String,
    /// The rule.
    #[schema(example = "must be one of `user`, `assistant`, `system`")]
    pub detail: String,
}

/// Something that went wrong: a code for programs, a sentence for people, a cause for the log.
pub struct Error {
    code: Code,
    detail: String,
    fields: Vec<FieldError>,
    retry_after: Option<u64>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with a sentence for the client. The sentence must not repeat input or tell internals.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), fields: Vec::new(), retry_after: None, source: None }
    }

    /// Input that breaks a rule.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::Invalid, detail)
    }

    /// Input of which one field breaks a rule.
    pub fn invalid_field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let (field, detail) = (field.into(), detail.into());
        let mut error = Self::new(Code::Invalid, format!("{field}: {detail}"));
        error.fields.push(FieldError { field, detail });
        error
    }

    /// Something that may be tried again after so many seconds.
    #[must_use]
    pub fn retry_after(code: Code, seconds: u64) -> Self {
        let detail = format!("Too many requests. Please try again in {seconds} s.");
        Self { retry_after: Some(seconds), ..Self::new(code, detail) }
    }

    /// Our own failure. The client learns nothing of `source`; the log does.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "Something went wrong on our side. Please try again.";
        Self { source: Some(source.into()), ..Self::new(Code::Internal, detail) }
    }

    /// A service behind us is overloaded or out of reach. The log learns `source`.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "The service is busy. Please try again in a moment.";
        Self { source: Some(source.into()), ..Self::new(Code::Unavailable, detail) }
    }

    /// The same under another code.
    #[must_use]
    pub fn with_code(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// The same, to be tried again after so many seconds.
    #[must_use]
    pub fn after(self, retry_after: Option<u64>) -> Self {
        Self { retry_after, ..self }
    }

    /// There is no such conversation, or it is somebody else's: the answer is the same.
    #[must_use]
    pub fn no_conversation() -> Self {
        Self::new(Code::NotFound, "Conversation not found")
    }

    /// The limits of a day allow no more; the next one begins in so many seconds.
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

    /// After how many seconds it may be tried again, if that is known.
    #[must_use]
    pub fn seconds_to_wait(&self) -> Option<u64> {
        self.retry_after
    }

    /// The fields that break rules.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.fields
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// For the log: the code, and the chain of causes.
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
