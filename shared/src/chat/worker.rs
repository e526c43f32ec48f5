//! The worker that makes one reply: takes the lease, asks the model, pushes what comes, keeps a checkpoint each
//! second, and ends the reply in one transaction.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::making::Making;
use super::outlets::Outlets;
use super::so_far::Ended;
use super::turns::{Turns, charge};
use crate::clock;
use crate::domain::{Charge, Content, Millis, ModelName, ReplyPlace, ReplyStatus, Role};
use crate::error::{Code, Error, Result};
use crate::models::{FailureKind, Fitted, Models, Pieces, Question, Said, fit};
use crate::sockets::frame::{Part, ServerFrame};
use crate::sockets::{Push, parts};
use crate::store::{FinishOutcome, FoundReply, Lease, Raised, Store, WorkerFlags};

/// How long a lease lasts beyond its last renewal.
const LEASE_SECONDS: u64 = 10;
const LEASE: Duration = Duration::from_secs(LEASE_SECONDS);
const CHECKPOINT_EACH: Duration = Duration::from_secs(1);
/// A window that asks for a snapshot in the last moment gets one, and so do a few more.
const MOST_LAST_WISHES: u32 = 5;

/// Makes replies.
#[derive(Clone)]
pub struct Worker {
    store: Store,
    models: Models,
    turns: Turns,
    push: Push,
}

/// How much time there is for a reply.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// When it ends, whether all has come or not.
    pub stop_at: Instant,
    /// How long the windows may take for the last frames.
    pub farewell: Duration,
}

/// A reply that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// All of its text.
    pub content: String,
    /// How many tokens it took.
    pub tokens: u64,
    /// The model that made it.
    pub model: ModelName,
    /// How many of the oldest messages the model was not sent, for lack of room.
    pub left_out: usize,
    /// Whether the conversation began with it, and so gets a title of it.
    pub is_first: bool,
    /// How it ended.
    pub status: ReplyStatus,
    /// `stop`, `length`, `content_filter`, `stopped`, `interrupted` or `deadline`.
    pub finish_reason: &'static str,
}

/// Why the worker stopped listening to the model.
enum Heard {
    Ended(Ended),
    TooMuch,
    Stopped,
    TimeIsOver,
    LeaseLost,
    /// No model was asked, since the question takes more than the day's limits leave.
    OverLimit,
}

impl Worker {
    /// A worker over these.
    #[must_use]
    pub fn new(store: Store, models: Models, turns: Turns, push: Push) -> Self {
        Self { store, models, turns, push }
    }

    /// Makes the reply at `place` within `time`. None for a duplicate or late delivery, which does nothing, and for a reply
    /// that somebody else ended.
    ///
    /// # Errors
    /// When DynamoDB is out of reach (the lease then runs out, and whoever looks at the reply ends it), or when the model
    /// gave nothing.
    pub async fn make_reply(&self, place: &ReplyPlace, time: Time) -> Result<Option<Made>> {
        let (now, worker) = (clock::now(), clock::new_ulid().to_string());
        let Some(mut lease) = self.store.take_lease(place, &worker, now, lease_end()).await? else {
            tracing::info!("a reply was begun or ended by another delivery");
            return Ok(None);
        };
        let (question, watchers) =
            tokio::join!(self.question(&mut lease), self.push.watchers(place.user, now));
        // Without its windows, a reply is still made, and read later.
        let watchers = watchers.unwrap_or_else(|error| {
            tracing::error!(?error, "a reply is made without its windows");
            Vec::new()
        });
        let mut making = Making::new(place, Outlets::open(&self.push, watchers));
        let question = question.map(|(question, left_out)| {
            making.so_far.reads(&question);
            making.so_far.left_out = left_out;
            question
        });
        let made = self.make(&mut lease, question, &mut making, time.stop_at).await;
        making.close(time.farewell).await;
        made
    }

    async fn make(
        &self,
        lease: &mut Lease,
        question: Result<Question>,
        making: &mut Making,
        stop_at: Instant,
    ) -> Result<Option<Made>> {
        let mut flags = lease.flags;
        let heard = match question {
            Ok(_) if flags.stop => Ok(Heard::Stopped),
            Ok(question) => {
                let pieces = self.models.ask(&question);
                self.listen(lease, &mut flags, pieces, making, stop_at).await
            }
            // The conversation was deleted before the reply began.
            Err(error) if error.code() == Code::NotFound => Ok(Heard::LeaseLost),
            Err(error) if error.code() == Code::LimitReached => Ok(Heard::OverLimit),
            Err(error) => Err(error),
        };
        let heard = heard.unwrap_or_else(|error| {
            tracing::error!(?error, "a reply could not be made");
            Heard::Ended(Ended::Failed(FailureKind::BrokeOff.into()))
        });
        self.end(lease, flags, heard, making).await
    }

    /// What the model is asked: as much of the conversation before the reply as it has room for. What it takes is reserved: when
    /// the turn began, there was but an estimate of it.
    async fn question(&self, lease: &mut Lease) -> Result<(Question, usize)> {
        let mut messages = Vec::new();
        if lease.place.within.is_some() {
            let history = self.store.find_history(&lease.place).await?;
            let (summary, before) = history.ok_or_else(Error::no_conversation)?;
            let system = summary.system_prompt.map(|prompt| Content::of_reply(prompt.as_str()));
            messages.extend(system.map(|content| Said { role: Role::System, content }));
            messages.extend(
                before.into_iter().map(|message| Said { role: message.role, content: message.content }),
            );
        }
        messages.extend(lease.prompt.clone().map(|content| Said { role: Role::User, content }));
        let entry = self.models.offer().find(&lease.model)?;
        let Fitted { messages, left_out, params } = fit(messages, &entry, lease.params);
        let question = Question { model: lease.model.clone(), messages, params };
        match Box::pin(self.turns.raise(lease, &question)).await? {
            Raised::Held => Ok((question, left_out)),
            Raised::Refused(error) => Err(error),
            Raised::Lost => Err(Error::no_conversation()),
        }
    }

    /// What the reply has used so far.
    fn charge(&self, lease: &Lease, making: &Making) -> Charge {
        charge(self.models.offer(), making.model(lease), making.so_far.usage())
    }

    /// Takes what the model says until it ends, and pushes and keeps it meanwhile.
    async fn listen(
        &self,
        lease: &mut Lease,
        flags: &mut WorkerFlags,
        mut pieces: Pieces,
        making: &mut Making,
        stop_at: Instant,
    ) -> Result<Heard> {
        let mut checkpoints = checkpoints();
        let mut held_until = Instant::now() + LEASE;
        loop {
            tokio::select! {
                piece = pieces.next() => {
                    let Some(piece) = piece else {
                        return Ok(Heard::Ended(Ended::Failed(FailureKind::BrokeOff.into())));
                    };
                    if let Some(ended) = making.take(piece)? {
                        return Ok(Heard::Ended(ended));
                    }
                    if making.so_far.is_full() {
                        return Ok(Heard::TooMuch);
                    }
                }
                () = due(making.due()) => making.push_chunks()?,
                _ = checkpoints.tick() => match self.checkpoint(lease, flags, making).await {
                    Ok(true) if flags.stop => return Ok(Heard::Stopped),
                    Ok(true) => held_until = Instant::now() + LEASE,
                    Ok(false) => return Ok(Heard::LeaseLost),
                    // The lease outlasts a few lost renewals.
                    Err(error) if Instant::now() < held_until => {
                        tracing::warn!(?error, "a checkpoint was not kept");
                    }
                    Err(error) => return Err(error),
                },
                () = sleep_until(stop_at) => return Ok(Heard::TimeIsOver),
            }
        }
    }

    /// Renews the lease, keeps the text, and does what was asked meanwhile. False when the lease is lost.
    async fn checkpoint(
        &self,
        lease: &mut Lease,
        flags: &mut WorkerFlags,
        making: &mut Making,
    ) -> Result<bool> {
        let (text, charge) = (&making.so_far.text, self.charge(lease, making));
        let kept = self.store.checkpoint_reply(lease, text, making.seq(), &charge, lease_end());
        let Some(seen) = kept.await? else { return Ok(false) };
        if seen.resync > flags.resync {
            let watchers = self.push.watchers(lease.place.user, clock::now()).await?;
            making.resync(watchers)?;
        }
        *flags = seen;
        Ok(true)
    }

    async fn end(
        &self,
        lease: &mut Lease,
        mut flags: WorkerFlags,
        heard: Heard,
        making: &mut Making,
    ) -> Result<Option<Made>> {
        if matches!(heard, Heard::LeaseLost) {
            return self.tell_what_became(lease, making).await;
        }
        making.push_chunks()?;
        let (status, finish_reason, failure) = outcome(&heard, making);
        let charge = self.charge(lease, making);
        let tokens = charge.usage.output;
        let ending = making.ending(lease, status, charge);
        for _ in 0..MOST_LAST_WISHES {
            match self.store.end_reply(lease, &ending, flags.resync, clock::now()).await {
                Ok(FinishOutcome::Ended) => {
                    making.tell(&ending, failure.as_ref())?;
                    let content = ending.content.as_str().to_owned();
                    let model = ending.model;
                    let (left_out, is_first) = (making.so_far.left_out, lease.is_first);
                    let made = Made { content, tokens, model, left_out, is_first, status, finish_reason };
                    return failure.filter(|_| status == ReplyStatus::Failed).map_or(Ok(Some(made)), Err);
                }
                Ok(FinishOutcome::Asked) if self.checkpoint(lease, &mut flags, making).await? => {}
                Ok(FinishOutcome::Asked | FinishOutcome::Lost) => {
                    return self.tell_what_became(lease, making).await;
                }
                Err(error) => {
                    // Whoever looks at the reply next ends it; the windows should not wait for that.
                    let frame = trouble(making, &error);
                    making.send_all(&[frame])?;
                    return Err(error);
                }
            }
        }
        Err(Error::unavailable("a reply could not be ended for all that was asked of it"))
    }

    /// Tells the windows how somebody else ended the reply, or that its conversation is gone.
    async fn tell_what_became(&self, lease: &Lease, making: &mut Making) -> Result<Option<Made>> {
        let ReplyPlace { user, message, .. } = &lease.place;
        let found = self.store.find_reply(*user, lease.place.conversation(), message, clock::now()).await?;
        let frames = match found {
            Some(FoundReply::Ended(_, message, seq)) => parts::stored(making.reply(), &message, seq),
            Some(_) => return Ok(None),
            None => {
                // Nothing comes back, but what was used is settled.
                if let Some(held) = &lease.held {
                    self.store.settle(*user, held, Some(&self.charge(lease, making))).await?;
                }
                let gone =
                    Error::new(Code::ConversationDeleted, "The conversation of this reply was deleted");
                vec![trouble(making, &gone)]
            }
        };
        making.send_all(&frames)?;
        Ok(None)
    }
}

/// How a reply ends, why its text ends where it ends, and what went wrong.
fn outcome(heard: &Heard, making: &Making) -> (ReplyStatus, &'static str, Option<Error>) {
    let (finish_reason, failure) = match heard {
        Heard::Stopped => return (ReplyStatus::Stopped, "stopped", None),
        Heard::TooMuch => ("length", None),
        Heard::OverLimit => ("interrupted", Some(Error::over_the_day(clock::now().left_of_day()))),
        Heard::TimeIsOver | Heard::LeaseLost => ("deadline", Some(no_more_time(making))),
        Heard::Ended(ended) => {
            let failure = making.so_far.failure(*ended).map(Error::from);
            (making.so_far.finish_reason(*ended).unwrap_or("interrupted"), failure)
        }
    };
    let status = match failure {
        None => ReplyStatus::Complete,
        Some(_) if making.so_far.text.is_empty() => ReplyStatus::Failed,
        Some(_) => ReplyStatus::Interrupted,
    };
    (status, finish_reason, failure)
}

/// The model was too slow: for all of its reply, or for any of it.
fn no_more_time(making: &Making) -> Error {
    let code = if making.so_far.text.is_empty() { Code::ModelTimeout } else { Code::Interrupted };
    Error::new(code, "There was no more time for the reply.")
}

/// The last frame of a reply of which no more is known.
fn trouble(making: &Making, error: &Error) -> ServerFrame {
    let text = making.so_far.text.clone();
    let text = parts::pieces(&text).first().map_or(String::new(), |piece| (*piece).to_owned());
    let status = ReplyStatus::Interrupted;
    ServerFrame::broke_off(making.reply().clone(), making.seq(), text, Part::default(), status, error)
}

/// Until when a lease that is renewed now lasts.
fn lease_end() -> Millis {
    clock::now().plus_seconds(LEASE_SECONDS)
}

/// Returns when the next chunk is due; never, while no text waits.
async fn due(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn checkpoints() -> Interval {
    let mut checkpoints = interval_at(Instant::now() + CHECKPOINT_EACH, CHECKPOINT_EACH);
    checkpoints.set_missed_tick_behavior(MissedTickBehavior::Delay);
    checkpoints
}
