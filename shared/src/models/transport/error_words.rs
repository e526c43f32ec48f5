//! What names and words in providers' errors mean.

use crate::models::failure::FailureKind;

/// What a name means that an error has: its code or its type, without what is neither a letter nor a digit. The first part that
/// is found in the name counts.
pub(in crate::models) const NAMES: [(FailureKind, &[&str]); 8] = [
    // What has to do with money, keys and names of models is for the operator, whatever else the error is called.
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

/// What words in a message mean.
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

/// What a mere limit by the minute may mention too.
pub(in crate::models) const OF_A_RATE_LIMIT: [&str; 5] =
    ["billing", "api key", "api_key", "apikey", "usage limit"];

/// What is said of a model that a server does not have.
pub(in crate::models) const MISSING: [&str; 6] =
    ["not found", "does not exist", "doesn't exist", "not exist", "not available", "decommissioned"];
