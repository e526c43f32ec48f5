//! Tracks the progress of the request on a connection, and its deadline. Without a deadline, a client could keep a
//! connection open by sending a request slowly, partially or not at all.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep, sleep_until},
};

use crate::sync::lock;

/// How long a listener waits for its clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// The time limit from the first to the last byte of a request, and for the first byte on a new connection.
    pub(crate) request: Duration,
    /// The time limit between two requests.
    pub(crate) keep_alive: Duration,
}

/// The progress of the request on a connection. Clones track the same connection.
#[derive(Clone)]
pub(crate) struct Progress {
    patience: Patience,
    state: Arc<Mutex<RequestState>>,
}

struct RequestState {
    stage: Stage,
    /// The time at which the connection is closed. None while a complete request is being answered.
    deadline: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No byte of the next request has arrived.
    Waiting,
    /// A part of a request has arrived.
    Receiving,
    /// A complete request is being answered. `more` tells whether bytes of another request have arrived.
    Answering { more: bool },
}

impl Progress {
    /// The progress of a connection that was just accepted.
    pub(crate) fn new(patience: Patience) -> Self {
        let deadline = Some(Instant::now() + patience.request);
        Self { patience, state: Arc::new(Mutex::new(RequestState { stage: Stage::Waiting, deadline })) }
    }

    /// Notes that bytes arrived.
    fn received(&self) {
        let mut state = lock(&self.state);
        match state.stage {
            Stage::Waiting => {
                let deadline = Some(Instant::now() + self.patience.request);
                *state = RequestState { stage: Stage::Receiving, deadline };
            }
            Stage::Receiving => {}
            Stage::Answering { .. } => state.stage = Stage::Answering { more: true },
        }
    }

    /// Notes that the head of a request is complete. The returned body notes when the body is complete.
    pub(crate) fn head_came(&self, body: Incoming) -> Body {
        // The first bytes may have arrived together with the previous request.
        self.received();
        if body.is_end_stream() {
            self.completed();
        }
        Body { incoming: body, progress: self.clone() }
    }

    /// Notes that the request is complete, or that its rest will not be read.
    fn completed(&self) {
        let mut state = lock(&self.state);
        if state.stage == Stage::Receiving {
            *state = RequestState { stage: Stage::Answering { more: false }, deadline: None };
        }
    }

    /// Notes that the request is answered.
    pub(crate) fn answered(&self) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        *state = match state.stage {
            Stage::Answering { more: true } => {
                RequestState { stage: Stage::Receiving, deadline: Some(now + self.patience.request) }
            }
            _ => RequestState { stage: Stage::Waiting, deadline: Some(now + self.patience.keep_alive) },
        };
    }

    /// Returns when the deadline has passed.
    pub(crate) async fn overdue(&self) {
        loop {
            let deadline = lock(&self.state).deadline;
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return;
            }
            // A deadline that is set during this wait is at least this far away.
            let look_again = sleep(self.patience.request.min(self.patience.keep_alive));
            match deadline {
                Some(deadline) => tokio::select! {
                    () = sleep_until(deadline) => {}
                    () = look_again => {}
                },
                None => look_again.await,
            }
        }
    }
}

/// The body of a request, which notes when it is complete.
pub(crate) struct Body {
    incoming: Incoming,
    progress: Progress,
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(context);
        if polled.is_ready() && self.incoming.is_end_stream() {
            self.progress.completed();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.progress.completed();
    }
}

/// A connection that notes when bytes arrive.
pub(crate) struct Watched {
    stream: TcpStream,
    progress: Progress,
}

impl Watched {
    pub(crate) fn new(stream: TcpStream, progress: Progress) -> Self {
        Self { stream, progress }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.progress.received();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
