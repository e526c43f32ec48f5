//! One instance, and the events it waits for and has.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::outcome::{InvokeError, Outcome};

/// An event as an instance gets it.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) request_id: String,
    pub(crate) payload: Bytes,
    pub(crate) deadline_ms: i64,
}

/// An event that waits for an instance.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request_id: String,
    pub(super) payload: Bytes,
    pub(super) answer: oneshot::Sender<Outcome>,
    pub(super) since: Instant,
}

/// One instance, from the start of its process to its end.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) pid: Option<u32>,
    pub(super) kill: Arc<Notify>,
    pub(super) state: InstanceState,
    /// Its open requests for an event: one at most, unless it takes several events at once.
    pub(super) pollers: Vec<Poller>,
    /// Its events: one at most, unless it takes several at once.
    pub(super) running: Vec<Running>,
}

/// How far an instance has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InstanceState {
    /// Has not asked for an event yet.
    Starting(Instant),
    /// Has asked for an event.
    Ready,
    /// Is being killed.
    Ending,
}

/// An open request for an event, which `hand_over` answers.
#[derive(Debug)]
pub(super) struct Poller {
    pub(super) since: Instant,
    pub(super) hand_over: oneshot::Sender<Delivery>,
}

/// An event an instance has.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) request_id: String,
    pub(super) answer: oneshot::Sender<Outcome>,
    pub(super) deadline: Instant,
}

impl Instance {
    /// Has its process killed. It gets no further event; those it has fail when the process has ended.
    pub(super) fn end(&mut self) {
        self.state = InstanceState::Ending;
        self.pollers.clear();
        self.kill.notify_one();
    }

    /// Whether it has had no event since `then`.
    pub(super) fn is_idle_since(&self, then: Option<Instant>) -> bool {
        let waits_long = |poller: &Poller| then.is_some_and(|then| poller.since <= then);
        self.running.is_empty() && !self.pollers.is_empty() && self.pollers.iter().all(waits_long)
    }
}

impl Running {
    /// Tells its caller that it came to nothing.
    pub(super) fn fail(self, how: &str) {
        self.answer.send(Err(InvokeError::Crashed(how.to_owned()))).ok();
    }
}
