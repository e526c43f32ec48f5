//! One function: its instances, and the calls made of it.

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

/// How often it is looked whether waiting events need another instance.
const WATCH: Duration = Duration::from_millis(3);

/// One function.
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

/// What a function is made of.
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
        // Set for Lambda Managed Instances, whose runtime then asks for several events at once.
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

    /// Calls the function and waits for what comes of it.
    pub(crate) async fn invoke(self: &Arc<Self>, payload: Bytes) -> Outcome {
        outcome(self.submit(payload)).await
    }

    /// Calls the function. Events are taken in the order of these calls. Nobody has to wait for the outcome.
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

    /// Starts instances as the waiting events call for them, until none waits.
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

    /// Starts one instance ahead of any event.
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
                let how = format!("{} does not start: {error}", self.launch.binary.display());
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
                function.logs.keep(format!("an instance has ended: {how}"));
            }
        });
    }

    /// Instance `instance` asks for its next event.
    pub(crate) fn next(&self, instance: u64) -> Next {
        lock(&self.pool).next(instance)
    }

    /// Instance `instance` answers an event; answers whether it had it.
    pub(crate) fn answer(&self, instance: u64, request_id: &str, outcome: Outcome) -> bool {
        lock(&self.pool).answer(instance, request_id, outcome)
    }

    /// Kills what has passed its deadline, and what had no event for `idle_life`.
    pub(crate) fn sweep(&self, idle_life: Duration) {
        lock(&self.pool).sweep(idle_life);
    }

    /// Fails what waits and kills every instance; nothing starts any more.
    pub(crate) fn stop(&self) {
        lock(&self.pool).stop();
    }

    /// What every instance starts with.
    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.launch.variables
    }

    /// The processes of the instances, oldest first.
    pub(crate) fn pids(&self) -> Vec<u32> {
        lock(&self.pool).pids()
    }

    /// Kills the instance whose process is `pid`; answers whether there is one.
    pub(crate) fn kill(&self, pid: u32) -> bool {
        lock(&self.pool).kill(pid)
    }

    /// Kills every instance; answers how many there are.
    pub(crate) fn kill_all(&self) -> usize {
        lock(&self.pool).kill_all()
    }
}

/// Waits for what comes of a call.
pub(crate) async fn outcome(receiver: oneshot::Receiver<Outcome>) -> Outcome {
    receiver.await.unwrap_or_else(|_dropped| Err(InvokeError::Crashed("the studio has stopped".to_owned())))
}

fn ending(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}
