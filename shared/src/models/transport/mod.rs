//! How answers of providers arrive: requests, their retries, server-sent events, and what failures mean.

pub(super) mod body;
pub(super) mod course;
pub(super) mod cut_text;
pub(super) mod error_words;
pub(super) mod loose;
pub(super) mod provider_error;
pub(super) mod retry_policy;
pub(super) mod sse;
pub(super) mod stream;
