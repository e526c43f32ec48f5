//! One request to a provider, and its answer as it streams in.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::{Failure, FailureKind};
use super::sse::Events;
use super::{Piece, Pieces};

/// How long until a provider sends the first byte of its stream.
const FIRST_BYTE: Duration = Duration::from_secs(20);
/// How long a provider may be silent after that.
const SILENCE: Duration = Duration::from_secs(15);
/// More of an answer that is an error is not read.
const MOST_OF_AN_ERROR: usize = 64 * 1024;

/// Understands the events of one provider's stream.
pub(super) trait Protocol: Send + 'static {
    /// Takes the data of an event, and gives the pieces in it. After [`Piece::End`] or [`Piece::Failed`] nothing counts.
    fn take(&mut self, data: &str) -> Vec<Piece>;

    /// What it means that nothing more comes.
    fn end(&mut self) -> Piece;
}

type Bytes = BoxStream<'static, reqwest::Result<Vec<u8>>>;

/// Sends `request` and reads the stream of its answer as `protocol` understands it. The last piece is always
/// [`Piece::End`] or [`Piece::Failed`]; dropping the stream ends the request.
pub(super) fn read(request: RequestBuilder, protocol: impl Protocol) -> Pieces {
    let begun = async move {
        let deadline = Instant::now() + FIRST_BYTE;
        match timeout_at(deadline, request.send()).await {
            Ok(Ok(response)) if response.status() == StatusCode::OK => reading(response, protocol, deadline),
            Ok(Ok(response)) => failed(refusal(response).await),
            Ok(Err(error)) => failed(kind(&error).into()),
            Err(_late) => failed(FailureKind::TimedOut.into()),
        }
    };
    Box::pin(stream::once(begun).flatten())
}

fn failed(failure: Failure) -> Pieces {
    Box::pin(stream::iter([Piece::Failed(failure)]))
}

/// A provider that does not answer in time is silent, however far the connection got.
fn kind(error: &reqwest::Error) -> FailureKind {
    if error.is_timeout() && !error.is_connect() { FailureKind::TimedOut } else { FailureKind::Unavailable }
}

/// What an answer means that is no stream. Its text stays here: it may repeat the question, or the key.
async fn refusal(response: Response) -> Failure {
    let status = response.status().as_u16();
    let retry_after = retry_after(&response);
    let failure = Failure::of_status(status, retry_after);
    let named =
        timeout(SILENCE, error_name(response)).await.ok().flatten().map(|name| Failure::of_name(&name));
    tracing::warn!(status, kind = ?failure.kind, "a provider refused");
    match named {
        // Some providers answer 400 for what is theirs to mend, 429 for an account without money.
        Some(named) if named.kind == FailureKind::Filtered => named,
        _ => failure,
    }
}

/// The kind that an error object names.
async fn error_name(response: Response) -> Option<String> {
    let mut bytes = response.bytes_stream();
    let mut text = Vec::new();
    while let Some(Ok(more)) = bytes.next().await {
        text.extend_from_slice(&more);
        if text.len() > MOST_OF_AN_ERROR {
            return None;
        }
    }
    let body: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let error = body.get("error")?;
    let name = error.get("code").and_then(|code| code.as_str()).or_else(|| error.get("type")?.as_str())?;
    Some(name.to_owned())
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
    events: Option<Events>,
    protocol: P,
    ready: VecDeque<Piece>,
    deadline: Instant,
    done: bool,
}

fn reading(response: Response, protocol: impl Protocol, deadline: Instant) -> Pieces {
    let bytes = response.bytes_stream().map(|bytes| bytes.map(Vec::from)).boxed();
    let events = Some(Events::default());
    let reading = Reading { bytes, events, protocol, ready: VecDeque::new(), deadline, done: false };
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
        let more = timeout_at(self.deadline, self.bytes.next()).await;
        self.deadline = Instant::now() + SILENCE;
        let events = match more {
            Err(_late) => return self.ready.push_back(Piece::Failed(FailureKind::TimedOut.into())),
            Ok(Some(Err(error))) => {
                let kind = if error.is_timeout() { FailureKind::TimedOut } else { FailureKind::BrokeOff };
                return self.ready.push_back(Piece::Failed(kind.into()));
            }
            Ok(Some(Ok(bytes))) => {
                self.events.as_mut().map(|events| events.take(&bytes)).unwrap_or(Ok(Vec::new()))
            }
            Ok(None) => {
                let last =
                    self.events.take().unwrap_or_default().end().map(|last| last.into_iter().collect());
                self.take(last);
                return self.ready.push_back(self.protocol.end());
            }
        };
        self.take(events);
    }

    fn take(&mut self, events: Result<Vec<String>, super::sse::Malformed>) {
        match events {
            Ok(events) => {
                for data in events {
                    self.ready.extend(self.protocol.take(&data));
                }
            }
            Err(super::sse::Malformed) => self.ready.push_back(Piece::Failed(FailureKind::BrokeOff.into())),
        }
    }
}
