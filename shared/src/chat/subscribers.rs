//! The subscribers of a reply: the user's connections that receive it while it is generated.
//!
//! Each subscriber has a queue and a task of its own, so a slow one does not delay the others, and one that is gone is
//! dropped. A subscriber that missed a frame gets no more chunks until it has received a snapshot; it receives the end
//! of the reply in any case. A subscriber that fails repeatedly is sent no more chunks or snapshots until a client asks
//! to resume.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Connections, Delivery};
use crate::clock;
use crate::domain::ConnectionId;
use crate::error::Result;
use crate::sockets::ServerFrame;
use crate::store::Watcher;

/// A subscriber that is this many frames behind has to wait for a snapshot.
const MAX_WAITING: usize = 64;
/// Room in the queue that only whole texts use, so that the end of a reply is always queued.
const RESERVED: usize = 2;
/// After this many failures in a row, a subscriber gets only the final frames and resyncs.
const MAX_FAILURES: u32 = 3;

/// An entry of a subscriber's queue.
#[derive(Clone)]
enum Queued {
    /// A chunk, which is useless to a subscriber that missed an earlier one.
    Chunk(Arc<str>),
    /// The whole text so far, in as many frames as it needs.
    Whole(Arc<[String]>),
}

/// Which subscribers receive a whole text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// All subscribers.
    All,
    /// Subscribers that have missed a frame, unless they failed too often.
    Behind,
}

/// The subscribers of a reply.
pub(super) struct Subscribers {
    connections: Connections,
    subscribers: HashMap<ConnectionId, Subscriber>,
    tasks: JoinSet<()>,
}

struct Subscriber {
    queue: mpsc::Sender<Queued>,
    failures: FailureCount,
}

/// How many times in a row a subscriber did not receive a frame. A subscriber with failures needs a snapshot.
#[derive(Clone, Default)]
struct FailureCount(Arc<AtomicU32>);

impl FailureCount {
    fn get(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, count: u32) {
        self.0.store(count, Ordering::Release);
    }
}

impl Subscribers {
    pub(super) fn new(connections: &Connections, watchers: Vec<Watcher>) -> Self {
        let (connections, tasks) = (connections.clone(), JoinSet::new());
        let mut subscribers = Self { connections, subscribers: HashMap::new(), tasks };
        subscribers.add(watchers);
        subscribers
    }

    /// Adds the connections that are not subscribed yet.
    pub(super) fn add(&mut self, watchers: Vec<Watcher>) {
        self.subscribers.retain(|_, subscriber| !subscriber.queue.is_closed());
        for watcher in watchers {
            if self.subscribers.contains_key(&watcher.connection) {
                continue;
            }
            let (queue, queued) = mpsc::channel(MAX_WAITING + RESERVED);
            let failures = FailureCount::default();
            let connection = watcher.connection.clone();
            self.tasks.spawn(deliver(self.connections.clone(), watcher, queued, failures.clone()));
            self.subscribers.insert(connection, Subscriber { queue, failures });
        }
    }

    /// Queues a chunk. Returns whether a subscriber that has missed a frame could receive a snapshot now.
    pub(super) fn send(&mut self, frame: &ServerFrame) -> Result<bool> {
        let text: Arc<str> = frame.text()?.into();
        let mut needs_snapshot = false;
        for Subscriber { queue, failures } in self.subscribers.values() {
            let failed = failures.get();
            if failed > 0 {
                needs_snapshot |= failed < MAX_FAILURES && queue.capacity() == queue.max_capacity();
            } else if queue.capacity() <= RESERVED
                || queue.try_send(Queued::Chunk(Arc::clone(&text))).is_err()
            {
                failures.set(1);
            }
        }
        Ok(needs_snapshot)
    }

    /// Queues the whole text so far for the subscribers of `audience`.
    pub(super) fn send_whole(&mut self, frames: &[ServerFrame], audience: Audience) -> Result<()> {
        let texts: Arc<[String]> = frames.iter().map(ServerFrame::text).collect::<Result<Vec<_>>>()?.into();
        for Subscriber { queue, failures } in self.subscribers.values() {
            let failed = failures.get();
            if audience == Audience::Behind && !(1..MAX_FAILURES).contains(&failed) {
                continue;
            }
            // Reset before queueing: the delivery may fail at once, and that failure has to count.
            failures.set(0);
            if queue.try_send(Queued::Whole(Arc::clone(&texts))).is_err() {
                failures.set(failed.max(1));
            }
        }
        Ok(())
    }

    /// Waits up to `time_limit` until every subscriber has received what is queued for it, or is gone.
    pub(super) async fn close(self, time_limit: Duration) {
        let Self { subscribers, mut tasks, .. } = self;
        drop(subscribers);
        let delivered = timeout(time_limit, async { while tasks.join_next().await.is_some() {} }).await;
        if delivered.is_err() {
            tracing::warn!("some connections did not receive the last frames of a reply in time");
        }
    }
}

/// Pushes the entries of one queue in order until the queue is closed, the connection is gone, or its token has
/// expired.
async fn deliver(
    connections: Connections,
    watcher: Watcher,
    mut queue: mpsc::Receiver<Queued>,
    failures: FailureCount,
) {
    let mut failed = 0;
    while let Some(queued) = queue.recv().await.filter(|_| watcher.token_ends > clock::now().seconds()) {
        // Chunks after a gap are useless.
        if failed > 0 && matches!(queued, Queued::Chunk(_)) {
            continue;
        }
        failed = match deliver_one(&connections, &watcher, &queued).await {
            Ok(Delivery::Delivered) => 0,
            // The connection may have opened by now, and have asked for a snapshot.
            Ok(Delivery::NotOpen) => failed + 1,
            Ok(Delivery::Gone) => return,
            Err(error) => {
                tracing::warn!(?error, "a connection missed a part of a reply");
                failed + 1
            }
        };
        if failed > 0 || failures.get() >= MAX_FAILURES {
            failures.set(failed.max(1));
        }
    }
}

async fn deliver_one(connections: &Connections, watcher: &Watcher, queued: &Queued) -> Result<Delivery> {
    match queued {
        Queued::Chunk(text) => connections.push_text(&watcher.connection, text).await,
        Queued::Whole(texts) => {
            for text in texts.iter() {
                let delivery = connections.push_text(&watcher.connection, text).await?;
                if delivery != Delivery::Delivered {
                    return Ok(delivery);
                }
            }
            Ok(Delivery::Delivered)
        }
    }
}
