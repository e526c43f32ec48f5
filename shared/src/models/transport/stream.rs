//! One request to a provider, and the stream of its response.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use reqwest::{RequestBuilder, Response};
use tokio::time::{Instant, timeout, timeout_at};

use super::lenient_json::Json;
use super::provider_error;
use super::response_body::ResponseBody;
use super::sse::{Event, Malformed};
use super::stream_state::StreamState;
use crate::models::failure::{FailureKind, ModelFailure};
use crate::models::{Piece, Pieces};

/// How long to wait for the usage after the finish reason. Some servers never close the connection.
const AFTER_FINISH: Duration = Duration::from_secs(1);
/// How long to wait for more text from a server that has already sent text after the finish reason.
const AFTER_EARLY_FINISH: Duration = Duration::from_secs(5);
/// How long to wait for the body of an error response.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// A longer body of an error response is ignored.
const MAX_ERROR_BODY_BYTES: usize = 64 * 1024;

/// The protocol of a provider's stream: turns its events into pieces.
pub(in crate::models) trait Protocol: Send + 'static {
    /// The pieces in the JSON data of an event. Pieces after [`Piece::End`] or [`Piece::Failed`] are ignored.
    fn event(&mut self, event: Json<'_>) -> Vec<Piece>;

    /// The state of the stream.
    fn state(&mut self) -> &mut StreamState;

    /// The pieces in an event.
    fn take(&mut self, event: &Event) -> Vec<Piece> {
        if event.is_error {
            self.state().note_unknown_event();
        }
        self.data(&event.data)
    }

    /// The pieces in the data of an event, which may be several JSON values or no JSON at all.
    fn data(&mut self, data: &str) -> Vec<Piece> {
        let data = data.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if data.trim_matches('"').eq_ignore_ascii_case("[DONE]") {
            return self.state().done();
        }
        if data.is_empty() {
            return Vec::new();
        }
        match Json::parse(data) {
            Ok(None) => Vec::new(),
            // Some servers send a list of values in one event.
            Ok(Some(events)) => events.items().into_iter().flat_map(|event| self.event(event)).collect(),
            // Some servers omit the blank lines between events.
            Err(_no_json) if data.contains('\n') => data.lines().flat_map(|line| self.data(line)).collect(),
            Err(_no_json) if self.state().is_finished() => Vec::new(),
            // Some servers keep the connection alive with text that is not JSON.
            Err(_no_json) if !data.starts_with(['{', '[']) => {
                self.state().note_unknown_event();
                Vec::new()
            }
            Err(_no_json) => self.state().fail(FailureKind::BrokeOff.into()),
        }
    }
}

/// How long a model may send nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::models) struct StreamTimeouts {
    /// Before the first byte of the response.
    pub(in crate::models) first: Duration,
    /// Between two bytes after that.
    pub(in crate::models) between: Duration,
}

type ByteStream = BoxStream<'static, reqwest::Result<Vec<u8>>>;

/// Sends `request` and reads the stream of the response through `protocol`. The last piece is always [`Piece::End`] or
/// [`Piece::Failed`]. Dropping the stream ends the request.
pub(in crate::models) fn read(
    request: RequestBuilder,
    protocol: impl Protocol,
    timeouts: StreamTimeouts,
) -> Pieces {
    let begun = async move {
        let deadline = Instant::now() + timeouts.first;
        match timeout_at(deadline, request.send()).await {
            Ok(Ok(response)) if response.status().is_success() => {
                reading(response, protocol, timeouts, deadline)
            }
            Ok(Ok(response)) => failed(failure_of_response(response).await),
            Ok(Err(error)) => failed(failure_of_request(&error)),
            Err(_late) => failed(ModelFailure::timed_out()),
        }
    };
    Box::pin(stream::once(begun).flatten())
}

fn failed(failure: ModelFailure) -> Pieces {
    Box::pin(stream::iter([Piece::Failed(failure)]))
}

/// The failure of a request that got no response. A connection that cannot be established in time is unavailable.
fn failure_of_request(error: &reqwest::Error) -> ModelFailure {
    if error.is_timeout() && !error.is_connect() {
        ModelFailure::timed_out()
    } else {
        FailureKind::Unavailable.into()
    }
}

/// The failure that an error response reports. Its text is not kept, since it may repeat the question or the key.
async fn failure_of_response(response: Response) -> ModelFailure {
    let status = response.status().as_u16();
    let retry_after = retry_after_of(&response);
    let body = timeout(ERROR_BODY_TIMEOUT, error_body(response)).await.unwrap_or_default();
    let kind = provider_error::of_response(status, &body);
    tracing::warn!(status, ?kind, "a provider answered with an error");
    ModelFailure::from(kind).after(retry_after)
}

/// The text of an error response. Empty when it is too long.
async fn error_body(response: Response) -> String {
    let mut bytes = response.bytes_stream();
    let mut text = Vec::new();
    while let Some(Ok(more)) = bytes.next().await {
        text.extend_from_slice(&more);
        if text.len() > MAX_ERROR_BODY_BYTES {
            return String::new();
        }
    }
    String::from_utf8_lossy(&text).trim_start_matches('\u{feff}').to_owned()
}

/// How long the provider asks us to wait, in the headers `retry-after-ms` or `retry-after` (in seconds).
fn retry_after_of(response: &Response) -> Option<Duration> {
    let number = |name: &str| -> Option<f64> {
        response.headers().get(name)?.to_str().ok()?.trim().parse().ok().filter(|n| *n >= 0.0 && *n < 1e6)
    };
    let millis = number("retry-after-ms").map(|millis| millis / 1000.0);
    millis.or_else(|| number("retry-after")).map(Duration::from_secs_f64)
}

/// A response while it is read.
struct Reading<P> {
    bytes: ByteStream,
    body: ResponseBody,
    protocol: P,
    ready: VecDeque<Piece>,
    timeouts: StreamTimeouts,
    deadline: Instant,
    /// Whether the text seems to be complete.
    is_finished: bool,
    done: bool,
}

fn reading(
    response: Response,
    protocol: impl Protocol,
    timeouts: StreamTimeouts,
    deadline: Instant,
) -> Pieces {
    let bytes = response.bytes_stream().map(|bytes| bytes.map(Vec::from)).boxed();
    let (body, ready, is_finished, done) = (ResponseBody::default(), VecDeque::new(), false, false);
    let reading = Reading { bytes, body, protocol, ready, timeouts, deadline, is_finished, done };
    Box::pin(stream::unfold(reading, |mut reading| async {
        let piece = reading.next().await?;
        Some((piece, reading))
    }))
}

impl<P: Protocol> Reading<P> {
    async fn next(&mut self) -> Option<Piece> {
        while !self.done {
            if let Some(piece) = self.ready.pop_front() {
                self.done = matches!(piece, Piece::End { .. } | Piece::Failed(_));
                return Some(piece);
            }
            self.read().await;
        }
        None
    }

    /// Waits for more bytes, and turns them into pieces.
    async fn read(&mut self) {
        if self.is_finished && Instant::now() >= self.deadline {
            return self.end();
        }
        match timeout_at(self.deadline, self.bytes.next()).await {
            Ok(Some(Ok(bytes))) => {
                let events = self.body.take(&bytes);
                self.take(events);
                self.set_deadline();
            }
            Ok(None) => self.end(),
            // The text is complete, so it does not matter why nothing follows.
            _ if self.is_finished => self.end(),
            Err(_late) => self.fail(ModelFailure::timed_out()),
            Ok(Some(Err(error))) if error.is_timeout() => self.fail(ModelFailure::timed_out()),
            Ok(Some(Err(_gone))) => self.fail(FailureKind::BrokeOff.into()),
        }
    }

    /// Decides how long to wait for more bytes.
    fn set_deadline(&mut self) {
        let went_on = self.protocol.state().take_went_on();
        if self.is_finished && !went_on {
            return;
        }
        self.is_finished = self.protocol.state().is_finished() || self.body.is_whole();
        let wait = match self.is_finished {
            true if went_on => AFTER_EARLY_FINISH.min(self.timeouts.between),
            true => AFTER_FINISH,
            false => self.timeouts.between,
        };
        self.deadline = Instant::now() + wait;
    }

    fn end(&mut self) {
        let body = std::mem::take(&mut self.body);
        let is_document = body.is_document();
        self.take(body.end());
        self.ready.extend(self.protocol.state().end());
        // A second request would get the same web page or unknown JSON.
        let failures = self.ready.iter_mut().filter_map(|piece| match piece {
            Piece::Failed(failure) if is_document && failure.kind == FailureKind::BrokeOff => Some(failure),
            _ => None,
        });
        failures.for_each(|failure| *failure = failure.permanent());
    }

    fn take(&mut self, events: Result<Vec<Event>, Malformed>) {
        match events {
            Ok(events) => {
                for event in events {
                    self.ready.extend(self.protocol.take(&event));
                }
            }
            Err(Malformed) => self.fail(FailureKind::BrokeOff.into()),
        }
    }

    fn fail(&mut self, failure: ModelFailure) {
        self.ready.push_back(Piece::Failed(failure));
    }
}
