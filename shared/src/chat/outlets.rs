//! The windows that watch a reply come. Each has a queue and a task of its own: a slow one delays no other, a dead
//! one is dropped. One that missed something gets no more chunks until it has got all the text there is, and the end of
//! the reply in any case. One that takes nothing is left alone until somebody asks to see the reply again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock;
use crate::domain::ConnectionId;
use crate::error::Result;
use crate::sockets::{Delivery, Push, ServerFrame};
use crate::store::Watcher;

/// A window that is this many frames behind waits for a snapshot.
const MOST_WAITING: usize = 64;
/// A window that takes nothing so often is sent no more of what may be left out.
const MOST_FAILURES: u32 = 3;

/// What a window is sent.
#[derive(Clone)]
enum Post {
    /// More text, of no use to a window that missed some.
    More(Arc<str>),
    /// All the text there is, in as many frames as it takes.
    All(Arc<[String]>),
}

/// The windows of a user.
pub(super) struct Outlets {
    push: Push,
    windows: HashMap<ConnectionId, Outlet>,
    tasks: JoinSet<()>,
}

struct Outlet {
    queue: mpsc::Sender<Post>,
    missed: Missed,
}

/// How often in a row a window did not take what it was sent. Any but none means that it needs all the text there is.
#[derive(Clone, Default)]
struct Missed(Arc<AtomicU32>);

impl Missed {
    fn get(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, times: u32) {
        self.0.store(times, Ordering::Release);
    }
}

impl Outlets {
    pub(super) fn open(push: &Push, watchers: Vec<Watcher>) -> Self {
        let mut outlets = Self { push: push.clone(), windows: HashMap::new(), tasks: JoinSet::new() };
        outlets.watch(watchers);
        outlets
    }

    /// Takes in windows that came meanwhile.
    pub(super) fn watch(&mut self, watchers: Vec<Watcher>) {
        self.windows.retain(|_, outlet| !outlet.queue.is_closed());
        for watcher in watchers {
            if self.windows.contains_key(&watcher.connection) {
                continue;
            }
            // The last frames have room beside those that wait.
            let (queue, posts) = mpsc::channel(MOST_WAITING + 2);
            let missed = Missed::default();
            let connection = watcher.connection.clone();
            self.tasks.spawn(deliver(self.push.clone(), watcher, posts, missed.clone()));
            self.windows.insert(connection, Outlet { queue, missed });
        }
    }

    /// Queues `frame`, which goes on where the last one ended. Says whether a window that missed something could take a
    /// snapshot now.
    pub(super) fn send(&mut self, frame: &ServerFrame) -> Result<bool> {
        let text: Arc<str> = frame.text()?.into();
        let mut waiting = false;
        for outlet in self.windows.values() {
            let missed = outlet.missed.get();
            if missed > 0 {
                waiting |= missed < MOST_FAILURES && outlet.queue.capacity() == outlet.queue.max_capacity();
            } else if outlet.queue.capacity() <= 2
                || outlet.queue.try_send(Post::More(Arc::clone(&text))).is_err()
            {
                outlet.missed.set(1);
            }
        }
        Ok(waiting)
    }

    /// Queues all the text there is: for every window, or for those that missed something.
    pub(super) fn send_all(&mut self, frames: &[ServerFrame], everybody: bool) -> Result<()> {
        let texts: Arc<[String]> = frames.iter().map(ServerFrame::text).collect::<Result<Vec<_>>>()?.into();
        for outlet in self.windows.values() {
            let missed = outlet.missed.get();
            if !everybody && !(1..MOST_FAILURES).contains(&missed) {
                continue;
            }
            // Before it is queued: should it fail at once, that counts.
            outlet.missed.set(0);
            if outlet.queue.try_send(Post::All(Arc::clone(&texts))).is_err() {
                outlet.missed.set(missed.max(1));
            }
        }
        Ok(())
    }

    /// Waits until every window has what was queued for it, or is given up, for so long at most.
    pub(super) async fn close(self, patience: Duration) {
        let Self { windows, mut tasks, .. } = self;
        drop(windows);
        let delivered = timeout(patience, async { while tasks.join_next().await.is_some() {} }).await;
        if delivered.is_err() {
            tracing::warn!("some windows did not take the last frames of a reply");
        }
    }
}

/// Pushes what is in one queue in order, one post at a time, until there is no such window any more.
async fn deliver(push: Push, watcher: Watcher, mut posts: mpsc::Receiver<Post>, missed: Missed) {
    let mut failures = 0;
    // Nothing is pushed to a window whose token has ended.
    while let Some(post) = posts.recv().await.filter(|_| watcher.token_ends > clock::now().seconds()) {
        // Of the text behind a gap, the rest is of no use.
        if failures > 0 && matches!(post, Post::More(_)) {
            continue;
        }
        failures = match deliver_one(&push, &watcher, &post).await {
            Ok(Delivery::Delivered) => 0,
            // By the time that this is known it may be open, and have asked for the text.
            Ok(Delivery::NotOpen) => failures + 1,
            Ok(Delivery::Gone) => return,
            Err(error) => {
                tracing::warn!(?error, "a window missed a part of a reply");
                failures + 1
            }
        };
        if failures > 0 || missed.get() >= MOST_FAILURES {
            missed.set(failures.max(1));
        }
    }
}

async fn deliver_one(push: &Push, watcher: &Watcher, post: &Post) -> Result<Delivery> {
    match post {
        Post::More(text) => push.text_to(&watcher.connection, text).await,
        Post::All(texts) => {
            for text in texts.iter() {
                let delivery = push.text_to(&watcher.connection, text).await?;
                if delivery != Delivery::Delivered {
                    return Ok(delivery);
                }
            }
            Ok(Delivery::Delivered)
        }
    }
}
