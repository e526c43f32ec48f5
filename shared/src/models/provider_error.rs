//! Errors as providers word them: what kind each is. What they say stays here, since it may repeat the question, or the key.

use super::failure::{Failure, FailureKind};
use super::loose::Json;

/// What a name means that an error has: its code or its type, without what is neither a letter nor a digit. The first part that
/// is found in the name counts.
const NAMES: [(FailureKind, &[&str]); 8] = [
    // What has to do with money, keys and names of models is for the operator, whatever else the error is called.
    (
        FailureKind::Misconfigured,
        &[
            "billing",
            "insufficientquota",
            "insufficientbalance",
            "insufficientcredit",
            "insufficientfunds",
            "creditbalance",
            "paymentrequired",
            "arrear",
            "deactivated",
            "suspended",
            "invalidapikey",
            "authentication",
            "unauthorized",
            "unauthenticated",
            "permission",
            "forbidden",
            "accessdenied",
            "accessterminated",
            "notfounderror",
            "modelnotfound",
            "modelnotexist",
            "modelnotavailable",
            "modelnotsupported",
            "modeldoesnotexist",
            "invalidmodel",
            "unknownmodel",
            "unsupportedmodel",
            "nosuchmodel",
            "deploymentnotfound",
        ],
    ),
    (FailureKind::Filtered, &["contentfilter", "contentpolicy", "moderation", "datainspection"]),
    (FailureKind::Refused, &["contextlength", "contextwindow", "toolarge", "toolong", "abovemaxlength"]),
    (
        FailureKind::Overloaded,
        &[
            "overload",
            "ratelimit",
            "toomanyrequests",
            "resourceexhausted",
            "capacity",
            "insufficientsystemresource",
            "throttl",
        ],
    ),
    (FailureKind::TimedOut, &["timeout", "timedout", "deadlineexceeded"]),
    (FailureKind::Unavailable, &["servererror", "internal", "unavailable", "apierror"]),
    (
        FailureKind::Refused,
        &["invalidrequest", "invalidargument", "badrequest", "validation", "unprocessable"],
    ),
    (FailureKind::Misconfigured, &["notfound"]),
];

/// What words in a message mean.
const WORDS: [(FailureKind, &[&str]); 5] = [
    (
        FailureKind::Misconfigured,
        &[
            "credit balance",
            "insufficient balance",
            "insufficient credit",
            "insufficient fund",
            "insufficient quota",
            "not enough credit",
            "not enough balance",
            "out of credit",
            "more credits",
            "billing",
            "payment required",
            "arrear",
            "余额不足",
            "欠费",
            "api key",
            "api_key",
            "apikey",
            "unauthorized",
            "no such model",
            "unknown model",
            "invalid model",
        ],
    ),
    (
        FailureKind::Refused,
        &[
            "context length",
            "context window",
            "maximum context",
            "too long",
            "too many tokens",
            "reduce the length",
        ],
    ),
    (
        FailureKind::Overloaded,
        &["overload", "rate limit", "too many requests", "capacity", "busy", "try again"],
    ),
    (FailureKind::TimedOut, &["timed out", "timeout"]),
    (FailureKind::Unavailable, &["server error", "internal error", "out of memory", "unavailable"]),
];

/// What is said of a model that a server does not have.
const MISSING: [&str; 6] =
    ["not found", "does not exist", "doesn't exist", "not exist", "not available", "decommissioned"];

/// What an error says of itself.
#[derive(Debug, Default)]
struct Told {
    names: Vec<String>,
    message: String,
    status: Option<u16>,
}

/// The error that an event is, or that stands in it.
pub(super) fn in_event(event: Json<'_>) -> Option<Failure> {
    let told = told_in(event)?;
    Some(
        told.kind(told.status)
            .map_or_else(|| Failure::from(FailureKind::Unavailable).for_good(), Failure::from),
    )
}

/// What an answer with this status means, whose body is no stream.
pub(super) fn of_answer(status: u16, body: &str) -> FailureKind {
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
pub(super) fn of_status(status: u16) -> FailureKind {
    match status {
        429 | 503 | 529 => FailureKind::Overloaded,
        // Money, keys, addresses, and models that are not there.
        300..=399 | 401..=405 | 410 => FailureKind::Misconfigured,
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
    let is_error = |name: &str| event.get(name).and_then(Json::text).is_some_and(|kind| kind == "error");
    let has_text = |name: &str| event.get(name).and_then(Json::text).is_some();
    let is_chunk = event.get("choices").is_some();
    let is_bare = !is_chunk && has_text("message") && (said("code").is_some() || said("status").is_some());
    let is_detail = !is_chunk && said("detail").is_some();
    let by_name = said("error_code").or_else(|| said("error_message")).or_else(|| said("error_msg"));
    (by_name.is_some() || is_error("object") || is_error("type") || is_bare || is_detail)
        .then(|| Told::of(event))
}

impl Told {
    fn of(error: Json<'_>) -> Self {
        if let Some(text) = error.text() {
            return Self { names: vec![plain(&text)], message: text.to_lowercase(), status: None };
        }
        let fields =
            |names: &[&str]| -> Vec<Json<'_>> { names.iter().filter_map(|name| error.get(name)).collect() };
        let codes = fields(&["code", "type", "status", "error_code", "status_code", "reason", "error"]);
        let texts = fields(&["message", "detail", "error_message", "error_msg", "msg", "text", "error"]);
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
            // Of a limit by the minute, some say to look at the plan and its billing.
            (Some(FailureKind::Misconfigured), Some(429)) => {}
            (Some(FailureKind::Misconfigured | FailureKind::Refused), _) => return worded,
            _ => {}
        }
        match status {
            Some(status) if !matches!(status, 400 | 422) => Some(of_status(status)),
            _ => named(likely).or(worded).or(status.map(of_status)),
        }
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
            "{}",
        ] {
            assert!(failure(text).is_none(), "{text}");
        }
    }
}
