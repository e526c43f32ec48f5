//! One request to a provider, and its answer as it streams in.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use reqwest::{RequestBuilder, Response};
use tokio::time::{Instant, timeout, timeout_at};

use super::body::Body;
use super::course::Course;
use super::loose::Json;
use super::provider_error;
use super::sse::{Event, Malformed};
use crate::models::failure::{Failure, FailureKind};
use crate::models::{Piece, Pieces};

/// How long the usage may take that some send behind the reason to finish. Some never close the connection.
const AFTER_FINISH: Duration = Duration::from_secs(1);
/// How long more text may take where text came after the reason to finish: the server gives the reason too early.
const AFTER_EARLY_FINISH: Duration = Duration::from_secs(5);
/// How long the rest of an answer may take that is an error.
const REST_OF_AN_ERROR: Duration = Duration::from_secs(5);
/// More of an answer that is an error is not read.
const MOST_OF_AN_ERROR: usize = 64 * 1024;

/// Understands the events of one provider's stream.
pub(in crate::models) trait Protocol: Send + 'static {
    /// The pieces in an event. After [`Piece::End`] or [`Piece::Failed`] nothing counts.
    fn event(&mut self, event: Json<'_>) -> Vec<Piece>;

    /// How far the stream has come.
    fn course(&mut self) -> &mut Course;

    /// The pieces in an event of the stream.
    fn take(&mut self, event: &Event) -> Vec<Piece> {
        if event.is_error {
            self.course().note_oddity();
        }
        self.data(&event.data)
    }

    /// The pieces in the data of an event.
    fn data(&mut self, data: &str) -> Vec<Piece> {
        let data = data.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if data.trim_matches('"').eq_ignore_ascii_case("[DONE]") {
            return self.course().done();
        }
        if data.is_empty() {
            return Vec::new();
        }
        match Json::parse(data) {
            Ok(None) => Vec::new(),
            // Some send several in one event.
            Ok(Some(events)) => events.items().into_iter().flat_map(|event| self.event(event)).collect(),
            // Some leave out the blank lines between events.
            Err(_no_json) if data.contains('\n') => data.lines().flat_map(|line| self.data(line)).collect(),
            Err(_no_json) if self.course().is_finished() => Vec::new(),
            // Some keep the connection alive with words.
            Err(_no_json) if !data.starts_with(['{', '[']) => {
                self.course().note_oddity();
                Vec::new()
            }
            Err(_no_json) => self.course().fail(FailureKind::BrokeOff.into()),
        }
    }
}

/// How long a model may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::models) struct Patience {
    /// Before the first byte of its answer.
    pub(in crate::models) first: Duration,
    /// After that.
    pub(in crate::models) between: Duration,
}

type Bytes = BoxStream<'static, reqwest::Result<Vec<u8>>>;

/// Sends `request` and reads the stream of its answer as `protocol` understands it. The last piece is always
/// [`Piece::End`] or [`Piece::Failed`]; dropping the stream ends the request.
pub(in crate::models) fn read(
    request: RequestBuilder,
    protocol: impl Protocol,
    patience: Patience,
) -> Pieces {
    let begun = async move {
        let deadline = Instant::now() + patience.first;
        match timeout_at(deadline, request.send()).await {
            Ok(Ok(response)) if response.status().is_success() => {
                reading(response, protocol, patience, deadline)
            }
            Ok(Ok(response)) => failed(refusal(response).await),
            Ok(Err(error)) => failed(failure(&error)),
            Err(_late) => failed(Failure::silence()),
        }
    };
    Box::pin(stream::once(begun).flatten())
}

fn failed(failure: Failure) -> Pieces {
    Box::pin(stream::iter([Piece::Failed(failure)]))
}

/// A provider that does not answer in time is silent, however far the connection got.
fn failure(error: &reqwest::Error) -> Failure {
    if error.is_timeout() && !error.is_connect() {
        Failure::silence()
    } else {
        FailureKind::Unavailable.into()
    }
}

/// What an answer means that is no stream. Its text stays here: it may repeat the question, or the key.
async fn refusal(response: Response) -> Failure {
    let status = response.status().as_u16();
    let retry_after = retry_after(&response);
    let body = timeout(REST_OF_AN_ERROR, beginning(response)).await.unwrap_or_default();
    let kind = provider_error::of_answer(status, &body);
    tracing::warn!(status, ?kind, "a provider refused");
    Failure::from(kind).after(retry_after)
}

/// The text of an answer, as much of it as matters.
async fn beginning(response: Response) -> String {
    let mut bytes = response.bytes_stream();
    let mut text = Vec::new();
    while let Some(Ok(more)) = bytes.next().await {
        text.extend_from_slice(&more);
        if text.len() > MOST_OF_AN_ERROR {
            return String::new();
        }
    }
    String::from_utf8_lossy(&text).trim_start_matches('\u{feff}').to_owned()
}

/// How long the provider asks to be left alone, when it says it in seconds or milliseconds.
fn retry_after(response: &Response) -> Option<Duration> {
    let number = |name: &str| -> Option<f64> {
        response.headers().get(name)?.to_str().ok()?.trim().parse().ok().filter(|n| *n >= 0.0 && *n < 1e6)
    };
    let millis = number("retry-after-ms").map(|millis| millis / 1000.0);
    millis.or_else(|| number("retry-after")).map(Duration::from_secs_f64)
}

/// A stream that is being read.
struct Reading<P> {
    bytes: Bytes,
    body: Body,
    protocol: P,
    ready: VecDeque<Piece>,
    patience: Patience,
    deadline: Instant,
    /// Whether all of the text seems to be there.
    is_finished: bool,
    done: bool,
}

fn reading(response: Response, protocol: impl Protocol, patience: Patience, deadline: Instant) -> Pieces {
    let bytes = response.bytes_stream().map(|bytes| bytes.map(Vec::from)).boxed();
    let (body, ready, is_finished, done) = (Body::default(), VecDeque::new(), false, false);
    let reading = Reading { bytes, body, protocol, ready, patience, deadline, is_finished, done };
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

    /// Waits for more bytes, and makes pieces of them.
    async fn read(&mut self) {
        if self.is_finished && Instant::now() >= self.deadline {
            return self.end();
        }
        match timeout_at(self.deadline, self.bytes.next()).await {
            Ok(Some(Ok(bytes))) => {
                let events = self.body.take(&bytes);
                self.take(events);
                self.wait_for_more();
            }
            Ok(None) => self.end(),
            // All of the text is there, and nobody needs to know why nothing follows it.
            _ if self.is_finished => self.end(),
            Err(_late) => self.fail(Failure::silence()),
            Ok(Some(Err(error))) if error.is_timeout() => self.fail(Failure::silence()),
            Ok(Some(Err(_gone))) => self.fail(FailureKind::BrokeOff.into()),
        }
    }

    fn wait_for_more(&mut self) {
        let went_on = self.protocol.course().went_on();
        if self.is_finished && !went_on {
            return;
        }
        self.is_finished = self.protocol.course().is_finished() || self.body.is_whole();
        let patience = match self.is_finished {
            true if went_on => AFTER_EARLY_FINISH.min(self.patience.between),
            true => AFTER_FINISH,
            false => self.patience.between,
        };
        self.deadline = Instant::now() + patience;
    }

    fn end(&mut self) {
        let body = std::mem::take(&mut self.body);
        let is_document = body.is_document();
        self.take(body.end());
        self.ready.extend(self.protocol.course().end());
        // A page, or JSON of something else, would be the same the next time.
        let failures = self.ready.iter_mut().filter_map(|piece| match piece {
            Piece::Failed(failure) if is_document && failure.kind == FailureKind::BrokeOff => Some(failure),
            _ => None,
        });
        failures.for_each(|failure| *failure = failure.for_good());
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

    fn fail(&mut self, failure: Failure) {
        self.ready.push_back(Piece::Failed(failure));
    }
}
