//! The HTTP server that all parts of the studio use, and helpers to build answers.

use std::{convert::Infallible, future::Future, net::SocketAddr, pin::pin};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use crate::progress::Body;
use crate::progress::{Patience, Progress, Watched};

/// An HTTP answer of the studio.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Closes a connection without an answer, like a broken network.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
pub(crate) struct Cut;

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The settings of a server.
#[derive(Clone)]
pub(crate) struct Serving {
    pub(crate) patience: Patience,
    /// Ends the server and all its connections.
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// Serves HTTP/1.1 on `listener`, with one task for each connection.
pub(crate) async fn serve<H, F>(listener: TcpListener, serving: Serving, handle: H)
where
    H: Fn(Request<Body>, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Answer, Cut>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = serving.stop.cancelled() => return,
        };
        // The error concerns one connection, or there are too many open files. In both cases the next accept may
        // succeed.
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        serving.tasks.spawn(serve_connection(stream, peer, serving.clone(), handle.clone()));
    }
}

async fn serve_connection<H, F>(stream: TcpStream, peer: SocketAddr, serving: Serving, handle: H)
where
    H: Fn(Request<Body>, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Answer, Cut>> + Send + 'static,
{
    // Without this, small answers may be delayed.
    stream.set_nodelay(true).ok();
    let progress = Progress::new(serving.patience);
    let stream = Watched::new(stream, progress.clone());
    let progressed = progress.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let progress = progressed.clone();
        let answer = handle(request.map(|body| progress.head_came(body)), peer);
        async move {
            let answer = answer.await;
            progress.answered();
            answer
        }
    });
    let connection = http1::Builder::new()
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        // Nothing depends on how a client ends its connection.
        _ended = connection.as_mut() => {}
        () = progress.overdue() => {}
        () = serving.stop.cancelled() => {}
    }
}

/// Reads a body of at most `limit` bytes. A longer body, up to four times the limit, is read and dropped, because a
/// client that is still sending would not see the answer otherwise.
pub(crate) async fn read_body(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut whole = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_error| BodyError::Broken)?.into_data() else {
            continue;
        };
        length += data.len();
        if length > limit.saturating_mul(4) {
            break;
        }
        if length <= limit && length == data.len() && body.is_end_stream() {
            // Most bodies arrive in one piece, which needs no copy.
            return Ok(data);
        }
        if length <= limit {
            whole.extend_from_slice(&data);
        }
    }
    if length > limit { Err(BodyError::TooLong) } else { Ok(whole.freeze()) }
}

/// The reason why a body was not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    TooLong,
    Broken,
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// A JSON answer that AWS SDKs read as the error `kind`.
pub(crate) fn aws_error(status: StatusCode, kind: &'static str, message: &str) -> Answer {
    let mut answer = json(status, serde_json::json!({ "message": message }).to_string());
    answer.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(kind));
    answer
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}
