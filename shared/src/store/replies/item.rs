//! The item of a reply, and the lease with which one worker makes it.
//!
//! A turn creates the item with the status `pending`. A worker takes the lease (`running`) and renews it with each
//! checkpoint. The worker, or a request that finds the lease expired, sets a final status. Every write of a worker is
//! conditioned on its lease, so a worker that was taken for dead cannot change anything more.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::{Deserialize, Serialize};

use crate::domain::{
    Charge, Content, GenerationParams, Held, MessageId, Millis, ModelName, ReplyPlace, ReplyStatus,
};
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::dynamo::{Expression, Packed, from_item, number, text};
use crate::store::{Store, key};

/// How long after a turn a worker may begin its reply. After that, the reply counts as abandoned.
const START_WITHIN_SECONDS: u64 = 75;

/// The item of a reply: what its worker needs, and its checkpoints. It is small because it is written every second.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::store) struct ReplyItem {
    pub(in crate::store) id: MessageId,
    pub(in crate::store) status: ReplyStatus,
    /// When the turn began: the time of the message, by which it is counted.
    pub(in crate::store) asked_at: Millis,
    /// Until when a worker may begin, in seconds since the epoch.
    pub(in crate::store) start_by: u64,
    pub(in crate::store) model: ModelName,
    #[serde(flatten)]
    pub(in crate::store) params: GenerationParams,
    /// The user's message, for a loose reply; otherwise the worker reads it from the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) prompt: Option<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) worker: Option<String>,
    /// Until when the worker counts as alive, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) lease_until: Option<u64>,
    /// The text so far, while it is short enough for this item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) content: Option<Packed>,
    /// The number of parts in which a longer text is stored.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::store) parts: u64,
    /// The number of the last chunk that was pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) seq: Option<u64>,
    /// How many tokens the reply has, once it has ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::store) tokens: u64,
    /// The reservation of the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) held: Option<Held>,
    /// What the reply has used so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) charge: Option<Charge>,
    /// Whether it is the first reply of its conversation, whose title is generated from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::store) is_first: bool,
    /// How often a stop was requested.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::store) stop: u64,
    /// How often a connection requested the whole text.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::store) resync: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) expires_at: Option<u64>,
    /// Whether its conversation was deleted while it was being made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::store) orphaned: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ReplyItem {
    pub(in crate::store) fn pending(
        id: &MessageId,
        model: &ModelName,
        params: GenerationParams,
        now: Millis,
    ) -> Self {
        Self {
            id: id.clone(),
            status: ReplyStatus::Pending,
            asked_at: now,
            start_by: now.plus_seconds(START_WITHIN_SECONDS).seconds(),
            model: model.clone(),
            params,
            prompt: None,
            worker: None,
            lease_until: None,
            content: None,
            parts: 0,
            seq: None,
            tokens: 0,
            held: None,
            charge: None,
            is_first: false,
            stop: 0,
            resync: 0,
            expires_at: None,
            orphaned: false,
        }
    }

    /// Until when a worker may be making the reply, or may begin it, in seconds since the epoch; `None` when it has
    /// ended.
    pub(in crate::store) fn alive_until(&self) -> Option<u64> {
        match self.status {
            ReplyStatus::Pending => Some(self.start_by),
            ReplyStatus::Running => Some(self.lease_until.unwrap_or_default()),
            _ => None,
        }
    }

    /// Whether a worker may still be making the reply, or may still begin it.
    pub(in crate::store) fn is_alive(&self, now: Millis) -> bool {
        self.alive_until().is_some_and(|until| until > now.seconds())
    }

    fn flags(&self) -> WorkerFlags {
        WorkerFlags { stop: self.stop > 0, resync: self.resync }
    }
}

/// Whether a client requested `stop` or `resync` of the worker of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerFlags {
    /// Whether a stop was requested.
    pub stop: bool,
    /// How often a connection requested the whole text.
    pub resync: u64,
}

/// The exclusive right of one worker to make a reply, and what the worker needs for it.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The place of the reply.
    pub place: ReplyPlace,
    /// The model to ask.
    pub model: ModelName,
    /// How the reply is generated.
    pub params: GenerationParams,
    /// The user's message, for a loose reply.
    pub prompt: Option<Content>,
    /// What was requested of the worker before it began.
    pub flags: WorkerFlags,
    /// Whether it is the first reply of its conversation.
    pub is_first: bool,
    /// The reservation of the reply.
    pub held: Option<Held>,
    pub(in crate::store) worker: String,
    pub(in crate::store) asked_at: Millis,
    /// How many bytes of the text are stored in parts, and in how many parts.
    pub(in crate::store) saved: usize,
    pub(in crate::store) parts: u64,
}

impl Lease {
    /// The condition that the worker still has the lease.
    pub(in crate::store) fn lease_condition(&self) -> Expression {
        Expression::default()
            .when_equal("worker", text(self.worker.clone()))
            .when_equal("status", text(ReplyStatus::Running.as_str()))
    }
}

impl Store {
    /// Takes the lease of a pending reply for `worker`, until `until`. `None` for a duplicate or late delivery of the
    /// event that starts the worker.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn take_lease(
        &self,
        place: &ReplyPlace,
        worker: &str,
        now: Millis,
        until: Millis,
    ) -> Result<Option<Lease>> {
        let expression = Expression::default()
            .set("status", text(ReplyStatus::Running.as_str()))
            .set("worker", text(worker))
            .set("lease_until", number(until.seconds()))
            .when_equal("status", text(ReplyStatus::Pending.as_str()))
            .when_greater("start_by", number(now.seconds()));
        let updated = self.update(key::reply_at(place), &expression, ReturnValue::AllNew).await?;
        let item = match updated {
            Some(item) => Some(from_item::<ReplyItem>(item)?),
            // An earlier attempt may have succeeded with its answer lost; then the lease belongs to this worker.
            None => {
                let current = self.find_item::<ReplyItem>(key::reply_at(place)).await?;
                current.filter(|item| item.worker.as_deref() == Some(worker))
            }
        };
        Ok(item.map(|item| lease(place, item, worker)))
    }
}

fn lease(place: &ReplyPlace, item: ReplyItem, worker: &str) -> Lease {
    Lease {
        place: place.clone(),
        flags: item.flags(),
        model: item.model,
        params: item.params,
        prompt: item.prompt,
        is_first: item.is_first,
        held: item.held,
        worker: worker.to_owned(),
        asked_at: item.asked_at,
        saved: 0,
        parts: 0,
    }
}
