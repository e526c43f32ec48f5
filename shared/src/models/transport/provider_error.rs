//! Finds the errors in providers' events and responses, and what kind of failure each is. Their texts are not kept,
//! since they may repeat the question or the key.

use super::error_report::{ErrorReport, kind_of_status};
use super::lenient_json::Json;
use crate::models::failure::{FailureKind, ModelFailure};

/// The failure that an event reports, if it reports one.
pub(in crate::models) fn in_event(event: Json<'_>) -> Option<ModelFailure> {
    let report = report_in(event)?;
    Some(
        report
            .kind(report.status)
            .map_or_else(|| ModelFailure::from(FailureKind::Unavailable).permanent(), ModelFailure::from),
    )
}

/// What an error response with this status and body means.
pub(in crate::models) fn of_response(status: u16, body: &str) -> FailureKind {
    let report = match Json::parse(body) {
        Ok(Some(body)) => {
            body.items().into_iter().find_map(|body| report_in(body).or_else(|| Some(ErrorReport::of(body))))
        }
        Ok(None) => None,
        // A plain text is an error message. A web page is not.
        Err(_no_json) => (!body.trim_start().starts_with('<')).then(|| ErrorReport::of_message(body)),
    };
    report.unwrap_or_default().kind(Some(status)).unwrap_or_else(|| kind_of_status(status))
}

/// The error in an event: in the field `error` or `errors`, or in the event itself under various names.
fn report_in(event: Json<'_>) -> Option<ErrorReport> {
    let present = |name: &str| event.get(name).filter(|value| !value.is_blank());
    if let Some(error) = event.get("error").filter(|error| !error.is_blank() || error.is_object()) {
        return Some(ErrorReport::of(error).with_message_of(event));
    }
    if let Some(error) = present("errors") {
        return error.items().into_iter().next().map(ErrorReport::of);
    }
    if let Some(error) = vendor_error(event) {
        return Some(ErrorReport::of(error));
    }
    let has_text = |name: &str| event.get(name).and_then(Json::text).is_some();
    let is_chunk = event.get("choices").is_some_and(|choices| !choices.is_empty())
        || event.get("usage").is_some_and(|usage| !usage.is_empty());
    let is_bad = |name: &str| present(name).is_some_and(|code| !means_success(code));
    let is_bare = !is_chunk && has_text("message") && (is_bad("code") || is_bad("status"));
    let is_detail = !is_chunk && present("detail").is_some();
    let by_name = present("error_code").or_else(|| present("error_message")).or_else(|| present("error_msg"));
    let is_error = is_error_name(event, "object") || is_error_name(event, "type");
    (by_name.is_some() || is_error || is_bare || is_detail).then(|| ErrorReport::of(event))
}

/// The error in a vendor's own field: an error of Groq or MiniMax otherwise looks like a normal chunk.
fn vendor_error(event: Json<'_>) -> Option<Json<'_>> {
    let groq = event.get("x_groq").and_then(|more| more.get("error")).filter(|error| !error.is_blank());
    groq.or_else(|| {
        event
            .get("base_resp")
            .filter(|status| status.get("status_code").is_some_and(|code| !means_success(code)))
    })
}

/// Whether a code or a status means success.
fn means_success(code: Json<'_>) -> bool {
    let code = code.as_str().trim_matches('"').to_ascii_lowercase();
    matches!(code.as_str(), "" | "0" | "200" | "ok" | "success" | "completed" | "in_progress")
}

/// Whether this field of an event names an error: `error`, `overloaded_error`, `InternalServerException`.
fn is_error_name(event: Json<'_>, field: &str) -> bool {
    let name = event.get(field).and_then(Json::text).unwrap_or_default().to_ascii_lowercase();
    name.ends_with("error") || name.ends_with("exception")
}

#[cfg(test)]
mod tests {
    use super::FailureKind::{Filtered, Misconfigured, Overloaded, Refused, TimedOut, Unavailable};
    use super::*;

    #[test]
    fn an_error_response_is_classified_by_its_error() {
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
            assert_eq!(of_response(status, body), kind, "{status}: {body}");
        }
    }

    #[test]
    fn errors_for_the_operator_are_recognised_by_their_words() {
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
            assert_eq!(of_response(status, body), kind, "{status}: {body}");
        }
    }

    #[test]
    fn an_error_event_is_recognised_under_various_names() {
        let failure_in = |text: &str| in_event(Json::parse(text).unwrap().unwrap());
        for (text, kind, is_transient) in [
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
            let failure = failure_in(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((failure.kind, failure.is_transient()), (kind, is_transient), "{text}");
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
            assert!(failure_in(text).is_none(), "{text}");
        }
    }
}
