//! The worker that makes one reply: takes the lease, asks the model, pushes chunks to subscribers, saves a checkpoint
//! every second, and ends the reply in one transaction.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::Connections;
use super::context::{self, Context};
use super::draft::ModelEnd;
use super::finish::{FinishedReply, StopReason};
use super::live_reply::LiveReply;
use super::subscribers::Subscribers;
use super::turns::{Turns, charge_of};
use crate::clock;
use crate::domain::{Charge, Millis, ReplyPlace};
use crate::error::{Code, Result};
use crate::models::{FailureKind, Models, Pieces, Question};
use crate::store::{Lease, Store, WorkerFlags};

/// How long a lease lasts after it was taken or renewed.
const LEASE_SECONDS: u64 = 10;
const LEASE: Duration = Duration::from_secs(LEASE_SECONDS);
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// Makes replies. Cloning it is cheap.
#[derive(Clone)]
pub struct Worker {
    pub(super) store: Store,
    models: Models,
    turns: Turns,
    connections: Connections,
}

/// How much time a worker has.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// When the reply ends, complete or not.
    pub stop_at: Instant,
    /// How long the worker waits for subscribers to receive the last frames.
    pub delivery: Duration,
}

impl Worker {
    /// Makes replies of `models`, stores them in `store`, accounts for them through `turns`, and pushes them to
    /// `connections`.
    #[must_use]
    pub fn new(store: Store, models: Models, turns: Turns, connections: Connections) -> Self {
        Self { store, models, turns, connections }
    }

    /// Makes the reply at `place` within `limits`. Returns `None` for a duplicate or late delivery, which does nothing,
    /// and when the reply was ended elsewhere.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached (the lease then expires, and the next request for the reply ends it), or when
    /// the model failed before any text.
    pub async fn make_reply(&self, place: &ReplyPlace, limits: TimeLimits) -> Result<Option<FinishedReply>> {
        let (now, worker) = (clock::now(), clock::new_ulid().to_string());
        let Some(mut lease) = self.store.take_lease(place, &worker, now, lease_end()).await? else {
            tracing::info!("another delivery has begun or ended this reply");
            return Ok(None);
        };
        let (context, watchers) = tokio::join!(
            context::build(&self.store, self.models.offer(), &self.turns, &mut lease),
            self.connections.list(place.user, now)
        );
        // The reply is made even without subscribers. Clients can read it later.
        let watchers = watchers.unwrap_or_else(|error| {
            tracing::error!(?error, "could not list the connections; making a reply without subscribers");
            Vec::new()
        });
        let mut live = LiveReply::new(place, Subscribers::new(&self.connections, watchers));
        let question = context.map(|Context { question, left_out }| {
            live.draft.estimate_input(&question);
            live.draft.left_out = left_out;
            question
        });
        let finished = self.make(&mut lease, question, &mut live, limits.stop_at).await;
        live.close(limits.delivery).await;
        finished
    }

    async fn make(
        &self,
        lease: &mut Lease,
        question: Result<Question>,
        live: &mut LiveReply,
        stop_at: Instant,
    ) -> Result<Option<FinishedReply>> {
        let mut flags = lease.flags;
        let stopped = match question {
            Ok(_) if flags.stop => Ok(StopReason::Requested),
            Ok(question) => {
                let pieces = self.models.ask(&question);
                self.generate(lease, &mut flags, pieces, live, stop_at).await
            }
            // The conversation was deleted before the reply began.
            Err(error) if error.code() == Code::NotFound => Ok(StopReason::LeaseLost),
            Err(error) if error.code() == Code::LimitReached => Ok(StopReason::OverLimit),
            Err(error) => Err(error),
        };
        let reason = stopped.unwrap_or_else(|error| {
            tracing::error!(?error, "could not make a reply");
            StopReason::ModelEnded(ModelEnd::Failed(FailureKind::BrokeOff.into()))
        });
        self.finish(lease, flags, reason, live).await
    }

    /// What the reply has cost so far.
    pub(super) fn charge(&self, lease: &Lease, live: &LiveReply) -> Charge {
        charge_of(self.models.offer(), live.model(lease), live.draft.usage())
    }

    /// Adds what the model sends to `live` until there is a reason to stop, and saves checkpoints meanwhile.
    async fn generate(
        &self,
        lease: &mut Lease,
        flags: &mut WorkerFlags,
        mut pieces: Pieces,
        live: &mut LiveReply,
        stop_at: Instant,
    ) -> Result<StopReason> {
        let mut ticks = checkpoint_ticks();
        let mut lease_expires = Instant::now() + LEASE;
        loop {
            tokio::select! {
                piece = pieces.next() => {
                    let Some(piece) = piece else {
                        return Ok(StopReason::ModelEnded(ModelEnd::Failed(FailureKind::BrokeOff.into())));
                    };
                    if let Some(end) = live.take(piece)? {
                        return Ok(StopReason::ModelEnded(end));
                    }
                    if live.draft.is_full() {
                        return Ok(StopReason::Full);
                    }
                }
                () = sleep_until_due(live.due()) => live.push_chunks()?,
                _ = ticks.tick() => match self.checkpoint(lease, flags, live).await {
                    Ok(true) if flags.stop => return Ok(StopReason::Requested),
                    Ok(true) => lease_expires = Instant::now() + LEASE,
                    Ok(false) => return Ok(StopReason::LeaseLost),
                    // The lease outlasts several failed renewals.
                    Err(error) if Instant::now() < lease_expires => {
                        tracing::warn!(?error, "could not save a checkpoint; trying again in a second");
                    }
                    Err(error) => return Err(error),
                },
                () = sleep_until(stop_at) => return Ok(StopReason::TimeUp),
            }
        }
    }

    /// Renews the lease, saves the text, and reads what clients have asked for meanwhile. Returns false when the lease
    /// is lost.
    pub(super) async fn checkpoint(
        &self,
        lease: &mut Lease,
        flags: &mut WorkerFlags,
        live: &mut LiveReply,
    ) -> Result<bool> {
        let (text, charge) = (&live.draft.text, self.charge(lease, live));
        let saved = self.store.checkpoint_reply(lease, text, live.seq(), &charge, lease_end());
        let Some(current) = saved.await? else { return Ok(false) };
        if current.resync > flags.resync {
            let watchers = self.connections.list(lease.place.user, clock::now()).await?;
            live.resync(watchers)?;
        }
        *flags = current;
        Ok(true)
    }
}

/// When a lease that is taken or renewed now expires.
fn lease_end() -> Millis {
    clock::now().plus_seconds(LEASE_SECONDS)
}

/// Waits until the next chunk is due, or forever while there is none.
async fn sleep_until_due(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn checkpoint_ticks() -> Interval {
    let mut ticks = interval_at(Instant::now() + CHECKPOINT_INTERVAL, CHECKPOINT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
