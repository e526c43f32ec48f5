//! Errors as providers word them: what kind each is. What they say stays here, since it may repeat the question, or the key.

use super::error_words::{MISSING, NAMES, OF_A_RATE_LIMIT, WORDS};
use super::loose::Json;
use crate::models::failure::{Failure, FailureKind};

/// What an error says of itself.
#[derive(Debug, Default)]
struct Told {
    names: Vec<String>,
    message: String,
    status: Option<u16>,
}

/// The error that an event is, or that stands in it.
pub(in crate::models) fn in_event(event: Json<'_>) -> Option<Failure> {
    let told = told_in(event)?;
    Some(
        told.kind(told.status)
            .map_or_else(|| Failure::from(FailureKind::Unavailable).for_good(), Failure::from),
    )
}

/// What an answer with this status means, whose body is no stream.
pub(in crate::models) fn of_answer(status: u16, body: &str) -> FailureKind {
    let told = match Json::parse(body) {
        Ok(Some(body)) => {
            body.items().into_iter().find_map(|body| told_in(body).or_else(|| Some(Told::of(body))))
        }
        Ok(None) => None,
        // Some say it in plain words; pages say many.
        Err(_no_json) => (!body.trim_start().starts_with('<'))
            .then(|| Told { message: body.to_lowercase(), ..Told::default() }),
    };
    told.unwrap_or_default().kind(Some(status)).unwrap_or_else(|| of_status(status))
}

/// What a status means where nothing more is known.
pub(in crate::models) fn of_status(status: u16) -> FailureKind {
    match status {
        429 | 503 | 529 => FailureKind::Overloaded,
        // Money, keys, addresses, and models that are not there.
        300..=399 | 401..=405 | 410 | 412 => FailureKind::Misconfigured,
        408 => FailureKind::TimedOut,
        409 | 425 => FailureKind::Unavailable,
        400..=499 => FailureKind::Refused,
        _ => FailureKind::Unavailable,
    }
}

/// The error in an event: as `error`, as `errors`, or as the event itself, by whatever name.
fn told_in(event: Json<'_>) -> Option<Told> {
    let said = |name: &str| event.get(name).filter(|value| !value.is_nothing());
    if let Some(error) = event.get("error").filter(|error| !error.is_nothing() || error.is_object()) {
        return Some(Told::of(error).beside(event));
    }
    if let Some(error) = said("errors") {
        return error.items().into_iter().next().map(Told::of);
    }
    if let Some(error) = error_of_a_vendor(event) {
        return Some(Told::of(error));
    }
    let has_text = |name: &str| event.get(name).and_then(Json::text).is_some();
    let is_chunk = event.get("choices").is_some_and(|choices| !choices.is_empty())
        || event.get("usage").is_some_and(|usage| !usage.is_empty());
    let is_bad = |name: &str| said(name).is_some_and(|code| !means_success(code));
    let is_bare = !is_chunk && has_text("message") && (is_bad("code") || is_bad("status"));
    let is_detail = !is_chunk && said("detail").is_some();
    let by_name = said("error_code").or_else(|| said("error_message")).or_else(|| said("error_msg"));
    let is_error = is_error_name(event, "object") || is_error_name(event, "type");
    (by_name.is_some() || is_error || is_bare || is_detail).then(|| Told::of(event))
}

/// The error in a field of one vendor's own: Groq's and MiniMax's chunks look good otherwise.
fn error_of_a_vendor(event: Json<'_>) -> Option<Json<'_>> {
    let groq = event.get("x_groq").and_then(|more| more.get("error")).filter(|error| !error.is_nothing());
    groq.or_else(|| {
        event.get("base_resp").filter(|told| told.get("status_code").is_some_and(|code| !means_success(code)))
    })
}

/// Whether a code or a status says that all is well.
fn means_success(code: Json<'_>) -> bool {
    let code = code.as_str().trim_matches('"').to_ascii_lowercase();
    matches!(code.as_str(), "" | "0" | "200" | "ok" | "success" | "completed" | "in_progress")
}

/// Whether this field of an event names an error: `error`, `overloaded_error`, `InternalServerException`.
fn is_error_name(event: Json<'_>, field: &str) -> bool {
    let name = event.get(field).and_then(Json::text).unwrap_or_default().to_ascii_lowercase();
    name.ends_with("error") || name.ends_with("exception")
}

impl Told {
    fn of(error: Json<'_>) -> Self {
        if let Some(text) = error.text() {
            return Self { names: vec![plain(&text)], message: text.to_lowercase(), status: None };
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
        // The code is a name, or a status.
        let statuses = codes.iter().filter_map(|code| u16::try_from(code.count()?).ok());
        Self {
            status: statuses.into_iter().find(|status| (400..600).contains(status)),
            names: codes.iter().filter_map(|code| code.text()).map(|name| plain(&name)).collect(),
            message: texts.join(" ").to_lowercase(),
        }
    }

    /// This error, with the message of the event around it where the error itself has none.
    fn beside(mut self, event: Json<'_>) -> Self {
        if self.message.is_empty() {
            self.message = Self::of(event).message;
        }
        self
    }

    /// What kind of error it is: names count before words, and either before the status where the operator must act.
    fn kind(&self, status: Option<u16>) -> Option<FailureKind> {
        let named = |kinds: &[(FailureKind, &[&str])]| {
            let found =
                |parts: &[&str]| parts.iter().any(|part| self.names.iter().any(|name| name.contains(part)));
            kinds.iter().find(|(_, parts)| found(parts)).map(|(kind, _)| *kind)
        };
        let (certain, likely) = NAMES.split_at(3);
        if let Some(kind) = named(certain) {
            return Some(kind);
        }
        let worded = self.worded();
        match (worded, status) {
            (Some(FailureKind::Misconfigured), _) if self.is_rate_limit(status) => {}
            (Some(FailureKind::Misconfigured | FailureKind::Refused), _) => return worded,
            _ => {}
        }
        match status {
            Some(status) if !matches!(status, 400 | 422) => Some(of_status(status)),
            _ => named(likely).or(worded).or(status.map(of_status)),
        }
    }

    /// Whether it is a limit by the minute, of which some say to look at the plan and its billing. Where money is missing, it is
    /// none, whatever its status.
    fn is_rate_limit(&self, status: Option<u16>) -> bool {
        let is_called = self.names.iter().any(|name| name.contains("ratelimit"));
        let of_the_operator = WORDS.iter().take(1).flat_map(|(_, parts)| parts.iter());
        let mut found = of_the_operator.filter(|part| self.message.contains(**part));
        (status == Some(429) || is_called) && found.all(|part| OF_A_RATE_LIMIT.contains(part))
    }

    fn worded(&self) -> Option<FailureKind> {
        let says = |parts: &[&str]| parts.iter().any(|part| self.message.contains(part));
        if self.message.contains("model") && says(&MISSING) {
            return Some(FailureKind::Misconfigured);
        }
        WORDS.iter().find(|(_, parts)| says(parts)).map(|(kind, _)| *kind)
    }
}

/// A name without its case and what joins its words.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::FailureKind::{Filtered, Misconfigured, Overloaded, Refused, TimedOut, Unavailable};
    use super::*;

    #[test]
    fn an_answer_is_what_its_error_says_it_is() {
        for (status, body, kind) in [
            (
                400,
                r#"{"error": {"code": "billing_hard_limit_reached", "type": "invalid_request_error"}}"#,
                Misconfigured,
            ),
            (
                400,
                r#"[{"error": {"status": "INVALID_ARGUMENT", "code": 400, "message": "API key not valid."}}]"#,
                Misconfigured,
            ),
            (
                400,
                r#"{"error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}"#,
                Misconfigured,
            ),
            (400, r#"{"error": "model \"llama9\" not found, try pulling it first"}"#, Misconfigured),
            (402, r#"{"error": {"code": "invalid_request_error"}}"#, Misconfigured),
            (402, "<html>", Misconfigured),
            (403, "Insufficient Balance", Misconfigured),
            (429, r#"{"error": {"code": "insufficient_quota"}}"#, Misconfigured),
            (
                429,
                r#"{"error": {"message": "You exceeded your current quota, check your plan and billing"}}"#,
                Overloaded,
            ),
            (503, r#"{"error": {"code": "model_not_found"}}"#, Misconfigured),
            (301, "", Misconfigured),
            (400, r#"{"error": {"code": "context_length_exceeded"}}"#, Refused),
            (
                400,
                r#"{"message": "This model's maximum context length is 8192 tokens.", "type": "BadRequestError"}"#,
                Refused,
            ),
            (500, r#"{"error": {"message": "the prompt is too long"}}"#, Refused),
            (400, r#"{"error": {"code": "content_filter"}}"#, Filtered),
            (400, r#"{"error": {"type": "overloaded_error"}}"#, Overloaded),
            (500, r#"{"error": {"type": "invalid_request_error"}}"#, Unavailable),
            (500, "null", Unavailable),
            (400, "Bad request", Refused),
            (504, "", Unavailable),
            (408, "", TimedOut),
        ] {
            assert_eq!(of_answer(status, body), kind, "{status}: {body}");
        }
    }

    #[test]
    fn what_only_the_operator_can_mend_is_known_by_its_words() {
        for (status, body, kind) in [
            (
                429,
                r#"{"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}"#,
                Misconfigured,
            ),
            (429, r#"{"error": {"type": "exceeded_current_quota_error", "message": "no"}}"#, Misconfigured),
            (429, r#"{"error": {"message": "Your balance is insufficient, see billing"}}"#, Misconfigured),
            (429, r#"{"error": {"message": "Rate limit reached for this API key"}}"#, Overloaded),
            (429, r#"{"error": {"message": "the model is not available, try again"}}"#, Overloaded),
            (400, r#"{"error": {"message": "foo is not a valid model ID", "code": 400}}"#, Misconfigured),
            (
                400,
                r#"{"error": {"type": "invalid_request_error", "message": "This organization has been disabled."}}"#,
                Misconfigured,
            ),
            (
                400,
                r#"{"error": {"message": "You have reached your specified API usage limits."}}"#,
                Misconfigured,
            ),
            (
                412,
                r#"{"error": "Account x is suspended, possibly due to reaching the monthly spending limit"}"#,
                Misconfigured,
            ),
            (412, "", Misconfigured),
            (
                400,
                r#"{"error": {"status": "FAILED_PRECONDITION", "message": "User location is not supported"}}"#,
                Misconfigured,
            ),
        ] {
            assert_eq!(of_answer(status, body), kind, "{status}: {body}");
        }
    }

    #[test]
    fn an_event_is_an_error_by_whatever_name() {
        let failure = |text: &str| in_event(Json::parse(text).unwrap().unwrap());
        for (text, kind, is_passing) in [
            (r#"{"error": {"type": "overloaded_error"}}"#, Overloaded, true),
            (r#"{"error": {"code": "503"}, "choices": []}"#, Overloaded, true),
            (r#"{"error": {}}"#, Unavailable, false),
            (r#"{"error": "something"}"#, Unavailable, false),
            (r#"{"error": true, "message": "rate limit"}"#, Overloaded, true),
            (r#"{"errors": [{"message": "overloaded"}]}"#, Overloaded, true),
            (
                r#"{"object": "error", "message": "x", "type": "InternalServerError", "code": 500}"#,
                Unavailable,
                true,
            ),
            (r#"{"type": "error", "error": {"type": "invalid_request_error"}}"#, Refused, false),
            (r#"{"text": "NETWORK ERROR", "error_code": 50004}"#, Unavailable, false),
            (r#"{"detail": "Internal Server Error"}"#, Unavailable, true),
            (r#"{"code": 401, "message": "no"}"#, Misconfigured, false),
            (r#"{"type": "overloaded_error", "message": "Overloaded"}"#, Overloaded, true),
            (r#"{"type": "InternalServerException"}"#, Unavailable, true),
            (r#"{"choices": [{"delta": {}}], "x_groq": {"error": "over_capacity"}}"#, Overloaded, true),
            (
                r#"{"choices": null, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}"#,
                Misconfigured,
                false,
            ),
            (r#"{"choices": [], "code": 500, "message": "Internal error"}"#, Unavailable, true),
        ] {
            let failure = failure(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((failure.kind, failure.is_passing()), (kind, is_passing), "{text}");
        }
        for text in [
            r#"{"error": null, "choices": null}"#,
            r#"{"error": "", "errors": [], "choices": []}"#,
            r#"{"error": false}"#,
            r#"{"code": 0, "message": "Success", "choices": [{}]}"#,
            r#"{"type": "message_start", "message": {"usage": {}}}"#,
            r#"{"choices": [{"delta": {"content": "error"}}], "detail": "x"}"#,
            r#"{"choices": [], "usage": {"output_tokens": 1}, "code": 1, "message": "x", "detail": "x"}"#,
            r#"{"choices": [], "code": 200, "message": "x", "base_resp": {"status_code": 0}}"#,
            r#"{"choices": [], "x_groq": {"id": "1", "usage": {}}}"#,
            "{}",
        ] {
            assert!(failure(text).is_none(), "{text}");
        }
    }
}
