//! Requests to providers: their retries, the streams of their answers, and the meaning of their errors.

pub(super) mod error_report;
pub(super) mod error_words;
pub(super) mod lenient_json;
pub(super) mod provider_error;
pub(super) mod response_body;
pub(super) mod retry_policy;
pub(super) mod sse;
pub(super) mod stream;
pub(super) mod stream_state;
pub(super) mod text_joiner;
