//! The meaning of names and words in providers' errors.

use crate::models::failure::FailureKind;

/// The meaning of an error's name, which is its code or its type reduced to lower-case letters and digits. The first
/// group with a part that the name contains decides.
pub(in crate::models) const NAMES: [(FailureKind, &[&str]); 8] = [
    // Errors about money, keys and names of models need the operator, whatever else the name contains.
    (
        FailureKind::Misconfigured,
        &[
            "billing",
            "insufficientquota",
            "exceededcurrentquota",
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

/// The meaning of words in an error's message. The first group with words that the message contains decides.
pub(in crate::models) const WORDS: [(FailureKind, &[&str]); 5] = [
    (
        FailureKind::Misconfigured,
        &[
            "credit balance",
            "insufficient balance",
            "balance is insufficient",
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
            "usage limit",
            "spending limit",
            "has been disabled",
            "suspended",
            "deactivated",
            "location is not supported",
            "api key",
            "api_key",
            "apikey",
            "unauthorized",
            "no such model",
            "unknown model",
            "invalid model",
            "not a valid model",
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

/// Words that a message about a rate limit may contain as well.
pub(in crate::models) const RATE_LIMIT_WORDS: [&str; 5] =
    ["billing", "api key", "api_key", "apikey", "usage limit"];

/// Words about a model that a server does not have.
pub(in crate::models) const MISSING: [&str; 6] =
    ["not found", "does not exist", "doesn't exist", "not exist", "not available", "decommissioned"];
