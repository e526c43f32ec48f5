//! The worker that makes one reply: takes the lease, asks the model, pushes what comes, keeps a checkpoint each
//! second, and ends the reply in one transaction.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::outlets::Outlets;
use super::pacing::Pacing;
use super::so_far::{Ended, SoFar};
use crate::clock;
use crate::domain::{Content, Millis, ReplyStatus, Role, TokenCount};
use crate::error::{Code, Error, Result};
use crate::models::{Failure, FailureKind, Models, Piece, Pieces, Question, Said};
use crate::sockets::Push;
use crate::sockets::frame::{Reply, ServerFrame};
use crate::store::{Ending, Lease, ReplyPlace, Store};

/// How long a lease lasts beyond its last renewal.
const LEASE_SECONDS: u64 = 10;
const LEASE: Duration = Duration::from_secs(LEASE_SECONDS);
const CHECKPOINT_EACH: Duration = Duration::from_secs(1);
/// A reply ends itself this long before its worker is stopped from outside.
const BEFORE_DEADLINE: Duration = Duration::from_secs(10);
/// A reply whose text grows beyond this in JSON ends there: the frame that completes it must fit API Gateway's 128 KB.
const MOST_BYTES: usize = 60_000;

/// Makes replies.
#[derive(Clone)]
pub struct Worker {
    store: Store,
    models: Models,
    push: Push,
}

/// A reply while it is made.
struct Making {
    said: SoFar,
    /// How long the text is as a JSON string: a control character takes six bytes there.
    bytes_in_json: usize,
    pacing: Pacing,
    thoughts: Pacing,
    outlets: Outlets,
    reply: Reply,
}

/// Why the worker stopped listening to the model.
enum Heard {
    Everything,
    TooMuch,
    Failed(Failure),
    BrokeOff,
    LeaseLost,
}

impl Worker {
    /// A worker over these.
    #[must_use]
    pub fn new(store: Store, models: Models, push: Push) -> Self {
        Self { store, models, push }
    }

    /// Makes the reply at `place`, and is done 10 s before `deadline`. A duplicate or late delivery does nothing.
    ///
    /// # Errors
    /// When DynamoDB is out of reach; the reply's lease then runs out, and the next turn ends it.
    pub async fn make_reply(&self, place: &ReplyPlace, deadline: Millis) -> Result<()> {
        let (now, worker) = (clock::now(), clock::new_ulid().to_string());
        let until = now.plus_seconds(LEASE_SECONDS);
        let Some(lease) = self.store.take_lease(place, &worker, now, until).await? else {
            tracing::info!("a reply was begun or ended by another delivery");
            return Ok(());
        };
        let question = self.question(&lease);
        let (question, connections) = tokio::join!(question, self.store.list_connections(place.user, now));
        // Without its windows, a reply is still made, and read later.
        let connections = connections.unwrap_or_else(|error| {
            tracing::error!(?error, "a reply is made without its windows");
            Vec::new()
        });
        let mut making = Making::new(place, Outlets::open(&self.push, connections));
        let (question, heard) = match question {
            Ok(question) => {
                let pieces = self.models.ask(&question);
                let heard = self.listen(&lease, pieces, &mut making, stop_at(now, deadline)).await;
                (question, heard)
            }
            // The conversation was deleted before the reply began.
            Err(error) if error.code() == Code::NotFound => (nothing(&lease), Ok(Heard::LeaseLost)),
            Err(error) => (nothing(&lease), Err(error)),
        };
        let heard = heard.unwrap_or_else(|error| {
            tracing::error!(?error, "a reply could not be made");
            Heard::BrokeOff
        });
        let outcome = self.end(&lease, &question, heard, &mut making).await;
        making.outlets.close().await;
        outcome
    }

    /// What the model is asked: what the conversation holds before the reply.
    async fn question(&self, lease: &Lease) -> Result<Question> {
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
        Ok(Question {
            model: lease.model.clone(),
            messages,
            temperature: lease.temperature,
            max_tokens: lease.max_tokens,
        })
    }

    /// Takes what the model says until it ends, and pushes and keeps it meanwhile.
    async fn listen(
        &self,
        lease: &Lease,
        mut pieces: Pieces,
        making: &mut Making,
        stop_at: Instant,
    ) -> Result<Heard> {
        let mut checkpoints = checkpoints();
        let mut held_until = Instant::now() + LEASE;
        loop {
            tokio::select! {
                piece = pieces.next() => match piece {
                    Some(piece) => {
                        if let Some(ended) = making.take(piece)? {
                            return Ok(making.said.failure(ended).map_or(Heard::Everything, Heard::Failed));
                        }
                        if making.bytes_in_json > MOST_BYTES {
                            return Ok(Heard::TooMuch);
                        }
                    }
                    None => return Ok(Heard::BrokeOff),
                },
                () = due(making.due()) => making.push_chunk()?,
                _ = checkpoints.tick() => {
                    let until = clock::now().plus_seconds(LEASE_SECONDS);
                    match self.store.checkpoint_reply(lease, &making.content(), until).await {
                        Ok(true) => held_until = Instant::now() + LEASE,
                        Ok(false) => return Ok(Heard::LeaseLost),
                        // The lease outlasts a few lost renewals.
                        Err(error) if Instant::now() < held_until => {
                            tracing::warn!(?error, "a checkpoint was not kept");
                        }
                        Err(error) => return Err(error),
                    }
                }
                () = sleep_until(stop_at) => return Ok(Heard::BrokeOff),
            }
        }
    }

    async fn end(&self, lease: &Lease, question: &Question, heard: Heard, making: &mut Making) -> Result<()> {
        let broken = |kind: FailureKind| Error::from(Failure::from(kind));
        let failure = match heard {
            Heard::Everything | Heard::TooMuch => None,
            Heard::Failed(failure) => Some(Error::from(failure)),
            Heard::BrokeOff => Some(broken(FailureKind::BrokeOff)),
            Heard::LeaseLost => return Ok(()),
        };
        let status = match failure {
            None => ReplyStatus::Complete,
            Some(_) if making.said.text.is_empty() => ReplyStatus::Failed,
            Some(_) => ReplyStatus::Interrupted,
        };
        making.push_chunk()?;
        let tokens = TokenCount::try_from(making.said.usage(question).output).unwrap_or_default();
        let ending = Ending { status, content: making.content(), tokens };
        match self.store.end_reply(lease, &ending, clock::now()).await {
            Ok(true) => making.outlets.send(&making.last_frame(lease, &ending, failure)),
            Ok(false) => Ok(()),
            Err(error) => {
                // The next turn ends the reply; the windows should not wait for that.
                making
                    .outlets
                    .send(&ServerFrame::broke_off(making.reply.clone(), ReplyStatus::Interrupted))?;
                Err(error)
            }
        }
    }
}

impl Making {
    fn new(place: &ReplyPlace, outlets: Outlets) -> Self {
        let reply =
            Reply { message_id: place.message.clone(), conversation_id: place.conversation().cloned() };
        Self {
            said: SoFar::default(),
            bytes_in_json: 0,
            pacing: Pacing::new(Instant::now()),
            thoughts: Pacing::new(Instant::now()),
            outlets,
            reply,
        }
    }

    fn take(&mut self, piece: Piece) -> Result<Option<Ended>> {
        match &piece {
            Piece::Text { text, .. } => {
                self.bytes_in_json += serde_json::to_string(text).map_err(Error::internal)?.len();
                self.pacing.push(text);
            }
            Piece::Reasoning { text, .. } => self.thoughts.push(text),
            _ => {}
        }
        let ended = self.said.take(piece);
        let now = Instant::now();
        if self.pacing.is_due(now) || self.thoughts.is_due(now) {
            self.push_chunk()?;
        }
        Ok(ended)
    }

    fn content(&self) -> Content {
        Content::of_reply(&self.said.text)
    }

    /// When the next chunk is to go; nothing, while nothing waits.
    fn due(&self) -> Option<Instant> {
        [self.pacing.due(), self.thoughts.due()].into_iter().flatten().min()
    }

    fn push_chunk(&mut self) -> Result<()> {
        let now = Instant::now();
        if let Some((seq, content)) = self.thoughts.take(now) {
            self.outlets.send(&ServerFrame::ChatReasoning { reply: self.reply.clone(), seq, content })?;
        }
        let Some((seq, content)) = self.pacing.take(now) else { return Ok(()) };
        self.outlets.send(&ServerFrame::ChatChunk { reply: self.reply.clone(), seq, content })
    }

    fn last_frame(&self, lease: &Lease, ending: &Ending, failure: Option<Error>) -> ServerFrame {
        let reply = self.reply.clone();
        if let Some(failure) = failure {
            return ServerFrame::failed(reply, ending.status, &failure);
        }
        ServerFrame::ChatComplete {
            reply,
            seq: Some(self.pacing.last_seq()),
            content: ending.content.as_str().to_owned(),
            tokens: ending.tokens.get(),
            model: self.said.model.clone().unwrap_or_else(|| lease.model.clone()),
            status: ending.status,
        }
    }
}

/// The question of a reply for which none could be made.
fn nothing(lease: &Lease) -> Question {
    let (temperature, max_tokens) = (lease.temperature, lease.max_tokens);
    Question { model: lease.model.clone(), messages: Vec::new(), temperature, max_tokens }
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

/// When to stop by the clock that timers use, for a deadline by the wall clock.
fn stop_at(now: Millis, deadline: Millis) -> Instant {
    let left = Duration::from_millis(deadline.get().saturating_sub(now.get()));
    Instant::now() + left.saturating_sub(BEFORE_DEADLINE)
}
