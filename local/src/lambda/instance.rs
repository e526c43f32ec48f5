//! An instance of a function, and its events.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::outcome::{InvokeError, Outcome};

/// An event that an instance receives.
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

/// An instance, from the start to the end of its process.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) pid: Option<u32>,
    pub(super) kill: Arc<Notify>,
    pub(super) state: InstanceState,
    /// The open requests for an event: at most one, unless the instance handles several events at a time.
    pub(super) pollers: Vec<Poller>,
    /// The events that the instance is handling: at most one, unless it handles several at a time.
    pub(super) running: Vec<Running>,
}

/// The state of an instance.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InstanceState {
    /// It has not asked for an event yet.
    Starting(Instant),
    /// It has asked for an event.
    Ready,
    /// It is being killed.
    Ending,
}

/// An open request for an event, which `hand_over` answers.
#[derive(Debug)]
pub(super) struct Poller {
    pub(super) since: Instant,
    pub(super) hand_over: oneshot::Sender<Delivery>,
}

/// An event that an instance is handling.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) request_id: String,
    pub(super) answer: oneshot::Sender<Outcome>,
    pub(super) deadline: Instant,
}

impl Instance {
    /// Kills the process. The instance receives no further event, and its current events fail when the process has
    /// ended.
    pub(super) fn end(&mut self) {
        self.state = InstanceState::Ending;
        self.pollers.clear();
        self.kill.notify_one();
    }

    /// Whether the instance has had no event since `then`.
    pub(super) fn is_idle_since(&self, then: Option<Instant>) -> bool {
        let waits_long = |poller: &Poller| then.is_some_and(|then| poller.since <= then);
        self.running.is_empty() && !self.pollers.is_empty() && self.pollers.iter().all(waits_long)
    }
}

impl Running {
    /// Fails the event because its instance ended.
    pub(super) fn fail(self, how: &str) {
        self.answer.send(Err(InvokeError::Crashed(how.to_owned()))).ok();
    }
}
