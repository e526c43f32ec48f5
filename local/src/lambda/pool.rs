//! Decides which instance of a function handles which event, and when another instance starts. Contains no process and
//! no await.

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

/// How long an event waits before another instance starts for it.
const START_DELAY: Duration = Duration::from_millis(3);
/// How long an event waits before another instance starts if there are already at least twice as many instances as
/// processors. More instances then help only if events wait for something instead of computing, so no waiting event may
/// have been taken for this long.
const START_DELAY_WHEN_MANY: Duration = Duration::from_millis(30);
/// The time limit for an instance to ask for its first event.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// The maximum number of instances of a function that start at the same time.
const STARTING_AT_ONCE: usize = 2;

/// The answer to an instance that asks for its next event.
#[derive(Debug)]
pub(crate) enum Next {
    Now(Delivery),
    Later(oneshot::Receiver<Delivery>),
    /// The pool does not know the instance any more.
    Never,
}

/// The instances and waiting events of a function.
#[derive(Debug)]
pub(super) struct Pool {
    timeout: Duration,
    max_instances: usize,
    /// Whether an instance handles several events at a time, like Lambda Managed Instances.
    is_concurrent: bool,
    processors: usize,
    waiting: VecDeque<Waiting>,
    /// The instance of every poller, most recently used last.
    idle: Vec<u64>,
    instances: BTreeMap<u64, Instance>,
    last_instance: u64,
    /// The time at which an instance last took a waiting event.
    last_taken: Option<Instant>,
    /// Whether a task is starting instances for waiting events.
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

    /// Passes `event` to the most recently used idle instance, or lets it wait. Returns whether it waits.
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
            // The instance closed its request.
            Err(Delivery { request_id, payload, .. }) => Err(Waiting { request_id, payload, answer, since }),
        }
    }

    /// Returns the next event for instance `id`, which asked for it.
    pub(super) fn next(&mut self, id: u64) -> Next {
        let timeout = self.timeout;
        let Some(instance) =
            self.instances.get_mut(&id).filter(|instance| instance.state != InstanceState::Ending)
        else {
            return Next::Never;
        };
        instance.state = InstanceState::Ready;
        if !self.is_concurrent {
            // The request replaces an earlier one, and an event that the instance has not answered fails.
            instance.pollers.clear();
            self.idle.retain(|idle| *idle != id);
            for running in instance.running.drain(..) {
                running.fail("the instance asked for another event without answering the current one");
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

    /// Completes the event `request_id` with the outcome that instance `id` sent. Returns whether the instance had the
    /// event.
    pub(super) fn answer(&mut self, id: u64, request_id: &str, outcome: Outcome) -> bool {
        let Some(instance) = self.instances.get_mut(&id) else {
            return false;
        };
        let Some(position) = instance.running.iter().position(|running| running.request_id == request_id)
        else {
            return false;
        };
        // The caller may have stopped waiting.
        instance.running.swap_remove(position).answer.send(outcome).ok();
        true
    }

    /// Reserves another instance if waiting events need one.
    pub(super) fn grow(&mut self) -> Option<(u64, Arc<Notify>)> {
        let starting =
            self.instances.values().filter(|it| matches!(it.state, InstanceState::Starting(_))).count();
        let oldest = self.waiting.front()?.since;
        let delay = match self.instances.len() {
            0 => Duration::ZERO,
            few if few < 2 * self.processors => START_DELAY,
            _ => START_DELAY_WHEN_MANY,
        };
        let moves_on = delay == START_DELAY_WHEN_MANY
            && self.last_taken.is_some_and(|taken| taken.elapsed() < START_DELAY_WHEN_MANY);
        let full = self.instances.len() >= self.max_instances;
        let is_early = moves_on || oldest.elapsed() < delay;
        if full || is_early || starting >= STARTING_AT_ONCE.min(self.waiting.len()) {
            return None;
        }
        self.reserve()
    }

    /// Reserves another instance, unless there are too many.
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

    /// Notes the process id of instance `id`.
    pub(super) fn started(&mut self, id: u64, pid: Option<u32>) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.pid = pid;
        }
    }

    /// Removes instance `id`, whose process has ended, and fails its events. Returns whether the end was unexpected. If
    /// the instance never asked for an event, the oldest waiting event fails, because another instance would probably
    /// fail too.
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

    /// Kills instances that have passed a deadline, take too long to start, or had no event for `idle_life`.
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
                // `ended` handles the end of the process.
                InstanceState::Starting(since) if since + INIT_LIMIT <= now => instance.kill.notify_one(),
                InstanceState::Ready if is_late || instance.is_idle_since(now.checked_sub(idle_life)) => {
                    instance.end();
                }
                _ => {}
            }
        }
    }

    /// Fails waiting events, kills all instances, and starts no further ones.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        for waiting in self.waiting.drain(..) {
            waiting.answer.send(Err(InvokeError::Crashed("the studio has stopped".to_owned()))).ok();
        }
        for instance in self.instances.values() {
            instance.kill.notify_one();
        }
    }

    /// The process ids of the instances, oldest first.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.instances.values().filter_map(|instance| instance.pid).collect()
    }

    /// Kills the instance with this process id, which receives no further event. Returns whether there was one.
    pub(super) fn kill(&mut self, pid: u32) -> bool {
        let found = self.instances.values_mut().find(|instance| instance.pid == Some(pid));
        found.map(Instance::end).is_some()
    }

    /// Kills all instances and returns their number.
    pub(super) fn kill_all(&mut self) -> usize {
        self.instances.values_mut().for_each(Instance::end);
        self.instances.len()
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
