//! An error as a provider reports it: its names, its message and its status, and the kind of failure that they mean.

use super::error_words::{MISSING, NAMES, RATE_LIMIT_WORDS, WORDS};
use super::lenient_json::Json;
use crate::models::failure::FailureKind;

/// An error as a provider reports it.
#[derive(Debug, Default)]
pub(super) struct ErrorReport {
    /// Codes and types, as lower-case letters and digits.
    names: Vec<String>,
    /// The message in lower case.
    message: String,
    pub(super) status: Option<u16>,
}

impl ErrorReport {
    /// Reads an error message.
    pub(super) fn of_message(message: &str) -> Self {
        Self { message: message.to_lowercase(), ..Self::default() }
    }

    /// Reads an error from a text or an object.
    pub(super) fn of(error: Json<'_>) -> Self {
        if let Some(text) = error.text() {
            return Self { names: vec![normalised(&text)], message: text.to_lowercase(), status: None };
        }
        let fields =
            |names: &[&str]| -> Vec<Json<'_>> { names.iter().filter_map(|name| error.get(name)).collect() };
        let codes = fields(&["code", "type", "status", "error_code", "status_code", "reason", "error"]);
        let texts = fields(&[
            "message",
            "detail",
            "error_message",
            "error_msg",
            "status_msg",
            "msg",
            "text",
            "error",
        ]);
        let texts: Vec<String> = texts.into_iter().filter_map(Json::text).collect();
        // A code may be a name or a status.
        let statuses = codes.iter().filter_map(|code| u16::try_from(code.count()?).ok());
        Self {
            status: statuses.into_iter().find(|status| (400..600).contains(status)),
            names: codes.iter().filter_map(|code| code.text()).map(|name| normalised(&name)).collect(),
            message: texts.join(" ").to_lowercase(),
        }
    }

    /// This report, with the message of the surrounding event if the error itself has none.
    pub(super) fn with_message_of(mut self, event: Json<'_>) -> Self {
        if self.message.is_empty() {
            self.message = Self::of(event).message;
        }
        self
    }

    /// The kind of the error. Names are considered before words, and both before the status if the operator has to act.
    pub(super) fn kind(&self, status: Option<u16>) -> Option<FailureKind> {
        let named = |kinds: &[(FailureKind, &[&str])]| {
            let found =
                |parts: &[&str]| parts.iter().any(|part| self.names.iter().any(|name| name.contains(part)));
            kinds.iter().find(|(_, parts)| found(parts)).map(|(kind, _)| *kind)
        };
        let (certain, likely) = NAMES.split_at(3);
        if let Some(kind) = named(certain) {
            return Some(kind);
        }
        let worded = self.kind_by_words();
        match (worded, status) {
            (Some(FailureKind::Misconfigured), _) if self.is_rate_limit(status) => {}
            (Some(FailureKind::Misconfigured | FailureKind::Refused), _) => return worded,
            _ => {}
        }
        match status {
            Some(status) if !matches!(status, 400 | 422) => Some(kind_of_status(status)),
            _ => named(likely).or(worded).or(status.map(kind_of_status)),
        }
    }

    /// Whether the error is a rate limit, although its message mentions the plan or billing. An error about missing
    /// money is no rate limit, whatever its status.
    fn is_rate_limit(&self, status: Option<u16>) -> bool {
        let is_called = self.names.iter().any(|name| name.contains("ratelimit"));
        let operator_words = WORDS.iter().take(1).flat_map(|(_, parts)| parts.iter());
        let mut found = operator_words.filter(|part| self.message.contains(**part));
        (status == Some(429) || is_called) && found.all(|part| RATE_LIMIT_WORDS.contains(part))
    }

    /// What the words of the message mean.
    fn kind_by_words(&self) -> Option<FailureKind> {
        let contains = |parts: &[&str]| parts.iter().any(|part| self.message.contains(part));
        if self.message.contains("model") && contains(&MISSING) {
            return Some(FailureKind::Misconfigured);
        }
        WORDS.iter().find(|(_, parts)| contains(parts)).map(|(kind, _)| *kind)
    }
}

/// What a status means by itself.
pub(super) fn kind_of_status(status: u16) -> FailureKind {
    match status {
        429 | 503 | 529 => FailureKind::Overloaded,
        // Missing payment, wrong keys, wrong URLs, unknown models.
        300..=399 | 401..=405 | 410 | 412 => FailureKind::Misconfigured,
        408 => FailureKind::TimedOut,
        409 | 425 => FailureKind::Unavailable,
        400..=499 => FailureKind::Refused,
        _ => FailureKind::Unavailable,
    }
}

/// A name in lower case, without the characters between its words.
fn normalised(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
