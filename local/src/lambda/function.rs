//! A function, its instances and its invocations.

use std::{
    io,
    process::ExitStatus,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::{
    instance::Waiting,
    logs::Logs,
    outcome::{InvokeError, Outcome, PAYLOAD_LIMIT},
    pool::{Next, Pool},
    process::{self, Launch},
};
use crate::{clock, options::Limits, sync::lock, template::AsynchronousCalls};

/// How often the studio checks whether waiting events need another instance.
const WATCH: Duration = Duration::from_millis(3);

/// A function with its instances.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) binary: String,
    pub(crate) arn: String,
    pub(crate) asynchronous: AsynchronousCalls,
    pub(crate) logs: Arc<Logs>,
    launch: Launch,
    pool: Mutex<Pool>,
}

/// The settings of a function.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) binary: String,
    pub(crate) arn: String,
    pub(crate) timeout: Duration,
    pub(crate) asynchronous: AsynchronousCalls,
    pub(crate) logs: Arc<Logs>,
    pub(crate) launch: Launch,
}

impl Function {
    pub(crate) fn new(parts: Parts, limits: &Limits) -> Arc<Self> {
        // With this variable, as on Lambda Managed Instances, the runtime handles several events at a time.
        let is_concurrent =
            parts.launch.variables.iter().any(|(name, _)| name == "AWS_LAMBDA_MAX_CONCURRENCY");
        Arc::new(Self {
            name: parts.name,
            binary: parts.binary,
            arn: parts.arn,
            asynchronous: parts.asynchronous,
            logs: parts.logs,
            launch: parts.launch,
            pool: Mutex::new(Pool::new(parts.timeout, limits.max_instances, is_concurrent)),
        })
    }

    /// Invokes the function and waits for the outcome.
    pub(crate) async fn invoke(self: &Arc<Self>, payload: Bytes) -> Outcome {
        outcome(self.submit(payload)).await
    }

    /// Invokes the function. Instances receive events in the order of these calls. The receiver may be dropped.
    pub(crate) fn submit(self: &Arc<Self>, payload: Bytes) -> oneshot::Receiver<Outcome> {
        let (answer, outcome) = oneshot::channel();
        if payload.len() > PAYLOAD_LIMIT {
            answer.send(Err(InvokeError::EventTooLarge(payload.len()))).ok();
            return outcome;
        }
        let event = Waiting { request_id: super::request_id(), payload, answer, since: Instant::now() };
        let must_watch = {
            let mut pool = lock(&self.pool);
            let waits = pool.submit(event);
            waits && !std::mem::replace(&mut pool.watched, true)
        };
        if must_watch {
            tokio::spawn(self.clone().watch());
        }
        outcome
    }

    /// Starts instances for waiting events until no event waits.
    async fn watch(self: Arc<Self>) {
        loop {
            let reserved = {
                let mut pool = lock(&self.pool);
                if !pool.has_waiting() {
                    pool.watched = false;
                    return;
                }
                pool.grow()
            };
            if let Some((instance, kill)) = reserved {
                self.start(instance, kill);
            }
            tokio::time::sleep(WATCH).await;
        }
    }

    /// Starts one instance before any event.
    pub(crate) fn prestart(self: &Arc<Self>) {
        let reserved = lock(&self.pool).reserve();
        if let Some((instance, kill)) = reserved {
            self.start(instance, kill);
        }
    }

    fn start(self: &Arc<Self>, instance: u64, kill: Arc<Notify>) {
        let stream =
            format!("{}/[$LATEST]{:032x}", clock::log_stream_day(clock::now_ms()), fastrand::u128(..));
        let mut child = match self.launch.spawn(instance, &stream) {
            Ok(child) => child,
            Err(error) => {
                let how = format!("cannot start {}: {error}", self.launch.binary.display());
                self.logs.keep(how.clone());
                lock(&self.pool).ended(instance, &how);
                return;
            }
        };
        lock(&self.pool).started(instance, child.id());
        if let Some(output) = child.stdout.take() {
            let logs = self.logs.clone();
            tokio::spawn(async move { logs.capture(output).await });
        }
        if let Some(output) = child.stderr.take() {
            let logs = self.logs.clone();
            tokio::spawn(async move { logs.capture(output).await });
        }
        let function = self.clone();
        tokio::spawn(async move {
            let status = process::wait(child, kill).await;
            let how = ending(status);
            let is_unexpected = lock(&function.pool).ended(instance, &how);
            if is_unexpected {
                function.logs.keep(format!("instance ended unexpectedly: {how}"));
            }
        });
    }

    /// The next event for an instance, which asked for it.
    pub(crate) fn next(&self, instance: u64) -> Next {
        lock(&self.pool).next(instance)
    }

    /// Completes an event with the outcome that an instance sent. Returns whether the instance had the event.
    pub(crate) fn answer(&self, instance: u64, request_id: &str, outcome: Outcome) -> bool {
        lock(&self.pool).answer(instance, request_id, outcome)
    }

    /// Kills instances that have passed a deadline or had no event for `idle_life`.
    pub(crate) fn sweep(&self, idle_life: Duration) {
        lock(&self.pool).sweep(idle_life);
    }

    /// Fails waiting events, kills all instances, and starts no further ones.
    pub(crate) fn stop(&self) {
        lock(&self.pool).stop();
    }

    /// The environment of every instance.
    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.launch.variables
    }

    /// The process ids of the instances, oldest first.
    pub(crate) fn pids(&self) -> Vec<u32> {
        lock(&self.pool).pids()
    }

    /// Kills the instance with this process id. Returns whether there was one.
    pub(crate) fn kill(&self, pid: u32) -> bool {
        lock(&self.pool).kill(pid)
    }

    /// Kills all instances and returns their number.
    pub(crate) fn kill_all(&self) -> usize {
        lock(&self.pool).kill_all()
    }
}

/// Waits for the outcome of a call.
pub(crate) async fn outcome(receiver: oneshot::Receiver<Outcome>) -> Outcome {
    receiver.await.unwrap_or_else(|_dropped| Err(InvokeError::Crashed("the studio has stopped".to_owned())))
}

fn ending(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}
