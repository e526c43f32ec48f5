//! Which instance of a function takes which event: bookkeeping only, no process and no await.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, oneshot};

use super::{
    instance::{Delivery, Instance, InstanceState, Poller, Running, Waiting},
    outcome::{InvokeError, Outcome},
};
use crate::clock;

/// An event must have waited this long before another instance is started for it.
const PATIENCE: Duration = Duration::from_millis(3);
/// The same once there are more instances than processors to run them: then more of them help only
/// if the events are slow because they wait, not because they compute. So no waiting event may have been taken
/// for as long, either: while events are taken, they end, however many there are.
const PATIENCE_WHEN_MANY: Duration = Duration::from_millis(30);
/// How long an instance may take until it asks for its first event.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// How many instances of one function start at the same time.
const STARTING_AT_ONCE: usize = 2;

/// What an instance is told that asks for its next event.
#[derive(Debug)]
pub(crate) enum Next {
    Now(Delivery),
    Later(oneshot::Receiver<Delivery>),
    /// The instance is not one of ours any more.
    Never,
}

/// The instances and the waiting events of one function.
#[derive(Debug)]
pub(super) struct Pool {
    timeout: Duration,
    max_instances: usize,
    /// Whether an instance takes several events at once, as Lambda Managed Instances do.
    is_concurrent: bool,
    processors: usize,
    waiting: VecDeque<Waiting>,
    /// The instance of every poller, the most recently used last.
    idle: Vec<u64>,
    instances: BTreeMap<u64, Instance>,
    last_instance: u64,
    /// When an event that waited was last taken.
    last_taken: Option<Instant>,
    /// Whether a task watches that the waiting events get instances.
    pub(super) watched: bool,
    stopped: bool,
}

impl Pool {
    pub(super) fn new(timeout: Duration, max_instances: usize, is_concurrent: bool) -> Self {
        Self {
            timeout,
            max_instances,
            is_concurrent,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            waiting: VecDeque::new(),
            idle: Vec::new(),
            instances: BTreeMap::new(),
            last_instance: 0,
            last_taken: None,
            watched: false,
            stopped: false,
        }
    }

    /// Hands `event` to the most recently used idle instance, or lets it wait. Answers whether it waits.
    pub(super) fn submit(&mut self, event: Waiting) -> bool {
        if self.stopped {
            event.answer.send(Err(InvokeError::Crashed("the studio has stopped".to_owned()))).ok();
            return false;
        }
        let mut event = event;
        while let Some(id) = self.idle.pop() {
            match self.hand_over(id, event) {
                Ok(()) => return false,
                Err(returned) => event = returned,
            }
        }
        self.waiting.push_back(event);
        true
    }

    fn hand_over(&mut self, id: u64, event: Waiting) -> Result<(), Waiting> {
        let timeout = self.timeout;
        let Some(instance) = self.instances.get_mut(&id) else {
            return Err(event);
        };
        let Some(poller) = instance.pollers.pop() else {
            return Err(event);
        };
        let Waiting { request_id, payload, answer, since } = event;
        let deadline_ms = clock::ms_from_now(timeout);
        match poller.hand_over.send(Delivery { request_id: request_id.clone(), payload, deadline_ms }) {
            Ok(()) => {
                instance.running.push(Running { request_id, answer, deadline: Instant::now() + timeout });
                Ok(())
            }
            // The instance hung up while it waited.
            Err(Delivery { request_id, payload, .. }) => Err(Waiting { request_id, payload, answer, since }),
        }
    }

    /// Instance `id` asks for its next event.
    pub(super) fn next(&mut self, id: u64) -> Next {
        let timeout = self.timeout;
        let Some(instance) =
            self.instances.get_mut(&id).filter(|instance| instance.state != InstanceState::Ending)
        else {
            return Next::Never;
        };
        instance.state = InstanceState::Ready;
        if !self.is_concurrent {
            // An earlier request of the same instance is void, and an event it has not answered has failed.
            instance.pollers.clear();
            self.idle.retain(|idle| *idle != id);
            for running in instance.running.drain(..) {
                running.fail("asked for the next event before it answered");
            }
        }
        if let Some(Waiting { request_id, payload, answer, .. }) = self.waiting.pop_front() {
            let now = Instant::now();
            self.last_taken = Some(now);
            instance.running.push(Running {
                request_id: request_id.clone(),
                answer,
                deadline: now + timeout,
            });
            return Next::Now(Delivery { request_id, payload, deadline_ms: clock::ms_from_now(timeout) });
        }
        let (hand_over, delivery) = oneshot::channel();
        instance.pollers.push(Poller { since: Instant::now(), hand_over });
        self.idle.push(id);
        Next::Later(delivery)
    }

    /// Instance `id` answers the event `request_id`; answers whether it had it.
    pub(super) fn answer(&mut self, id: u64, request_id: &str, outcome: Outcome) -> bool {
        let Some(instance) = self.instances.get_mut(&id) else {
            return false;
        };
        let Some(position) = instance.running.iter().position(|running| running.request_id == request_id)
        else {
            return false;
        };
        // A caller that has given up does not listen.
        instance.running.swap_remove(position).answer.send(outcome).ok();
        true
    }

    /// Reserves the place of one more instance if the waiting events call for it.
    pub(super) fn grow(&mut self) -> Option<(u64, Arc<Notify>)> {
        let starting =
            self.instances.values().filter(|it| matches!(it.state, InstanceState::Starting(_))).count();
        let oldest = self.waiting.front()?.since;
        let patience = match self.instances.len() {
            0 => Duration::ZERO,
            few if few < 2 * self.processors => PATIENCE,
            _ => PATIENCE_WHEN_MANY,
        };
        let moves_on = patience == PATIENCE_WHEN_MANY
            && self.last_taken.is_some_and(|taken| taken.elapsed() < PATIENCE_WHEN_MANY);
        let full = self.instances.len() >= self.max_instances;
        let is_early = moves_on || oldest.elapsed() < patience;
        if full || is_early || starting >= STARTING_AT_ONCE.min(self.waiting.len()) {
            return None;
        }
        self.reserve()
    }

    /// Reserves the place of one more instance.
    pub(super) fn reserve(&mut self) -> Option<(u64, Arc<Notify>)> {
        if self.stopped {
            return None;
        }
        self.last_instance += 1;
        let kill = Arc::new(Notify::new());
        let state = InstanceState::Starting(Instant::now());
        let (pollers, running) = (Vec::new(), Vec::new());
        let instance = Instance { pid: None, kill: kill.clone(), state, pollers, running };
        self.instances.insert(self.last_instance, instance);
        Some((self.last_instance, kill))
    }

    /// Whether any event waits.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The process of instance `id` runs.
    pub(super) fn started(&mut self, id: u64, pid: Option<u32>) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.pid = pid;
        }
    }

    /// The process of instance `id` has ended, and with it the events it had; answers whether it should not
    /// have. One that never came so far as to take an event fails the oldest that waits: the next start would
    /// go the same way.
    pub(super) fn ended(&mut self, id: u64, how: &str) -> bool {
        self.idle.retain(|idle| *idle != id);
        let Some(instance) = self.instances.remove(&id) else {
            return false;
        };
        for running in instance.running {
            running.fail(how);
        }
        if matches!(instance.state, InstanceState::Starting(_))
            && let Some(waiting) = self.waiting.pop_front()
        {
            waiting.answer.send(Err(InvokeError::Crashed(how.to_owned()))).ok();
        }
        instance.state != InstanceState::Ending && !self.stopped
    }

    /// Kills what has passed its deadline, what takes too long to start, and what had no event for
    /// `idle_life`.
    pub(super) fn sweep(&mut self, idle_life: Duration) {
        let now = Instant::now();
        let seconds = self.timeout.as_secs();
        for instance in self.instances.values_mut() {
            let late: Vec<_> = instance.running.extract_if(.., |running| running.deadline <= now).collect();
            let is_late = !late.is_empty();
            for running in late {
                running.answer.send(Err(InvokeError::TimedOut { seconds })).ok();
            }
            match instance.state {
                // How it ends is told by `ended`.
                InstanceState::Starting(since) if since + INIT_LIMIT <= now => instance.kill.notify_one(),
                InstanceState::Ready if is_late || instance.is_idle_since(now.checked_sub(idle_life)) => {
                    instance.end();
                }
                _ => {}
            }
        }
    }

    /// Fails what waits and kills every instance; nothing starts any more.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        for waiting in self.waiting.drain(..) {
            waiting.answer.send(Err(InvokeError::Crashed("the studio has stopped".to_owned()))).ok();
        }
        for instance in self.instances.values() {
            instance.kill.notify_one();
        }
    }

    /// The processes of the instances, oldest first.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.instances.values().filter_map(|instance| instance.pid).collect()
    }

    /// Kills the instance whose process is `pid`; answers whether there is one. It gets no event any more, though its
    /// process takes a moment to end.
    pub(super) fn kill(&mut self, pid: u32) -> bool {
        let found = self.instances.values_mut().find(|instance| instance.pid == Some(pid));
        found.map(Instance::end).is_some()
    }

    /// Kills every instance in the same way; answers how many there are.
    pub(super) fn kill_all(&mut self) -> usize {
        self.instances.values_mut().for_each(Instance::end);
        self.instances.len()
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
