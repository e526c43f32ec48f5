//! The windows that watch a reply come. Each has a queue and a task of its own: a slow one delays no other, a dead
//! one is dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::domain::ConnectionId;
use crate::error::Result;
use crate::sockets::{Delivery, Push, ServerFrame};

/// A window that is this many frames behind is dropped; it can ask for the reply again.
const MOST_WAITING: usize = 64;
/// How long the last frames may take after the reply has ended.
const LAST_FRAMES: Duration = Duration::from_secs(10);

/// All windows of a user that were open when the reply began.
pub(super) struct Outlets {
    queues: Vec<mpsc::Sender<Arc<str>>>,
    tasks: JoinSet<()>,
}

impl Outlets {
    pub(super) fn open(push: &Push, connections: Vec<ConnectionId>) -> Self {
        let mut tasks = JoinSet::new();
        let queues = connections.into_iter().map(|connection| {
            let (sender, receiver) = mpsc::channel(MOST_WAITING);
            tasks.spawn(deliver(push.clone(), connection, receiver));
            sender
        });
        Self { queues: queues.collect(), tasks }
    }

    /// Queues `frame` for every window.
    pub(super) fn send(&mut self, frame: &ServerFrame) -> Result<()> {
        let text: Arc<str> = frame.text()?.into();
        self.queues.retain(|queue| queue.try_send(Arc::clone(&text)).is_ok());
        Ok(())
    }

    /// Waits until every window has what was queued for it, or is given up.
    pub(super) async fn close(self) {
        let Self { queues, mut tasks } = self;
        drop(queues);
        let delivered = timeout(LAST_FRAMES, async { while tasks.join_next().await.is_some() {} }).await;
        if delivered.is_err() {
            tracing::warn!("some windows did not take the last frames of a reply");
        }
    }
}

/// Pushes the frames of one queue in order, one at a time.
async fn deliver(push: Push, connection: ConnectionId, mut frames: mpsc::Receiver<Arc<str>>) {
    while let Some(frame) = frames.recv().await {
        match push.text_to(&connection, &frame).await {
            Ok(Delivery::Delivered) => {}
            Ok(Delivery::Gone) => return push.forget(&connection).await,
            Err(error) => {
                // A gap would make the client's text wrong; nothing more is better, and it can ask again.
                tracing::warn!(?error, "a window is dropped from a reply");
                return;
            }
        }
    }
}
