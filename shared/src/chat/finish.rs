//! How a worker ends its reply: decides the status, stores the end, and tells the subscribers.

use super::draft::ModelEnd;
use super::live_reply::LiveReply;
use super::worker::Worker;
use crate::clock;
use crate::domain::{ModelName, ReplyPlace, ReplyStatus};
use crate::error::{Code, Error, Result};
use crate::sockets::frame::{FramePart, ServerFrame};
use crate::sockets::split;
use crate::store::{FinishOutcome, FoundReply, Lease, WorkerFlags};

/// How many resyncs, each requested just before the end, may delay the end of a reply.
const MAX_LAST_RESYNCS: u32 = 5;

/// A reply that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedReply {
    /// The whole text.
    pub content: String,
    /// The number of tokens of the reply.
    pub tokens: u64,
    /// The model that made the reply.
    pub model: ModelName,
    /// How many of the oldest messages did not fit into the model's context window.
    pub left_out: usize,
    /// Whether it is the first reply of its conversation, which gets a title now.
    pub is_first: bool,
    /// How it ended.
    pub status: ReplyStatus,
    /// `stop`, `length`, `content_filter`, `stopped`, `interrupted` or `deadline`.
    pub finish_reason: &'static str,
}

/// Why a worker stopped reading from the model.
pub(super) enum StopReason {
    ModelEnded(ModelEnd),
    /// The text has reached its maximum length.
    Full,
    /// A client asked to stop.
    Requested,
    TimeUp,
    LeaseLost,
    /// The question costs more than is left of the user's limit, so no model was asked.
    OverLimit,
}

/// What a stop reason means for the reply.
struct ReplyOutcome {
    status: ReplyStatus,
    finish_reason: &'static str,
    failure: Option<Error>,
}

impl Worker {
    /// Ends the reply and tells the subscribers. Returns `None` when the reply was ended elsewhere.
    pub(super) async fn finish(
        &self,
        lease: &mut Lease,
        mut flags: WorkerFlags,
        reason: StopReason,
        live: &mut LiveReply,
    ) -> Result<Option<FinishedReply>> {
        if matches!(reason, StopReason::LeaseLost) {
            return self.push_end_elsewhere(lease, live).await;
        }
        live.push_chunks()?;
        let ReplyOutcome { status, finish_reason, failure } = outcome(&reason, live);
        let charge = self.charge(lease, live);
        let tokens = charge.usage.output;
        let ending = live.ending(lease, status, charge);
        for _ in 0..MAX_LAST_RESYNCS {
            match self.store.end_reply(lease, &ending, flags.resync, clock::now()).await {
                Ok(FinishOutcome::Ended) => {
                    live.send_ending(&ending, failure.as_ref())?;
                    let finished = FinishedReply {
                        content: ending.content.as_str().to_owned(),
                        tokens,
                        model: ending.model,
                        left_out: live.draft.left_out,
                        is_first: lease.is_first,
                        status,
                        finish_reason,
                    };
                    return failure.filter(|_| status == ReplyStatus::Failed).map_or(Ok(Some(finished)), Err);
                }
                Ok(FinishOutcome::ResyncRequested) if self.checkpoint(lease, &mut flags, live).await? => {}
                Ok(FinishOutcome::ResyncRequested | FinishOutcome::Lost) => {
                    return self.push_end_elsewhere(lease, live).await;
                }
                Err(error) => {
                    // The next request for the reply ends it, but the subscribers should not have to wait for that.
                    let frame = interruption(live, &error);
                    live.send_to_all(&[frame])?;
                    return Err(error);
                }
            }
        }
        Err(Error::unavailable("could not finish the reply: resync was requested repeatedly"))
    }

    /// Tells the subscribers how the reply was ended elsewhere, or that its conversation was deleted.
    async fn push_end_elsewhere(&self, lease: &Lease, live: &mut LiveReply) -> Result<Option<FinishedReply>> {
        let ReplyPlace { user, message, .. } = &lease.place;
        let found = self.store.find_reply(*user, lease.place.conversation(), message, clock::now()).await?;
        let frames = match found {
            Some(FoundReply::Ended(_, message, seq)) => split::stored(live.reply(), &message, seq),
            Some(_) => return Ok(None),
            None => {
                // The deletion released no reservation, so the cost is settled here.
                if let Some(held) = &lease.held {
                    self.store.settle(*user, held, Some(&self.charge(lease, live))).await?;
                }
                let gone =
                    Error::new(Code::ConversationDeleted, "The conversation of this reply was deleted");
                vec![interruption(live, &gone)]
            }
        };
        live.send_to_all(&frames)?;
        Ok(None)
    }
}

fn outcome(reason: &StopReason, live: &LiveReply) -> ReplyOutcome {
    let (finish_reason, failure) = match reason {
        StopReason::Requested => {
            return ReplyOutcome { status: ReplyStatus::Stopped, finish_reason: "stopped", failure: None };
        }
        StopReason::Full => ("length", None),
        StopReason::OverLimit => {
            ("interrupted", Some(Error::over_the_day(clock::now().seconds_left_in_day())))
        }
        StopReason::TimeUp | StopReason::LeaseLost => ("deadline", Some(timed_out(live))),
        StopReason::ModelEnded(end) => {
            let failure = live.draft.failure(*end).map(Error::from);
            (live.draft.finish_reason(*end).unwrap_or("interrupted"), failure)
        }
    };
    let status = match failure {
        None => ReplyStatus::Complete,
        Some(_) if live.draft.text.is_empty() => ReplyStatus::Failed,
        Some(_) => ReplyStatus::Interrupted,
    };
    ReplyOutcome { status, finish_reason, failure }
}

/// The worker's time was up before the model finished, or before it began.
fn timed_out(live: &LiveReply) -> Error {
    let code = if live.draft.text.is_empty() { Code::ModelTimeout } else { Code::Interrupted };
    Error::new(code, "The reply took too long.")
}

/// The error frame sent when storing the end failed or the conversation is gone.
fn interruption(live: &LiveReply, error: &Error) -> ServerFrame {
    let text = split::pieces(&live.draft.text).first().map_or(String::new(), |piece| (*piece).to_owned());
    let status = ReplyStatus::Interrupted;
    ServerFrame::broke_off(live.reply().clone(), live.seq(), text, FramePart::default(), status, error)
}
