//! A reply in the store: its place, its item, and the lease by which one worker makes it.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::{Deserialize, Serialize};

use crate::domain::{
    Charge, Content, GenerationParams, Held, MessageId, Millis, ModelName, ReplyPlace, ReplyStatus,
};
use crate::error::Result;
use crate::store::dynamo::{Expression, Packed, from_item, number, text};
use crate::store::{Store, key};

/// A reply that no worker has begun by then never begins.
const START_WITHIN_SECONDS: u64 = 75;

/// What a worker needs about a reply, and writes while it makes it. Small, since it is written every second.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::store) struct ReplyItem {
    pub(in crate::store) id: MessageId,
    pub(in crate::store) status: ReplyStatus,
    /// When it was asked for: the time of the message, by which it is counted.
    pub(in crate::store) asked_at: Millis,
    /// Until when a worker may begin, in seconds.
    pub(in crate::store) start_by: u64,
    pub(in crate::store) model: ModelName,
    #[serde(flatten)]
    pub(in crate::store) params: GenerationParams,
    /// What the user said, when there is no conversation to read it from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) prompt: Option<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) worker: Option<String>,
    /// Until when the worker is believed to live, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) lease_until: Option<u64>,
    /// The text so far, while it is short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) content: Option<Packed>,
    /// In how many parts the text so far stands, once it is longer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::store) parts: u64,
    /// The number of the last chunk that was pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) seq: Option<u64>,
    /// How many tokens it took, once it has ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::store) tokens: u64,
    /// What is reserved for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) held: Option<Held>,
    /// What it has used so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) charge: Option<Charge>,
    /// Whether it is the first of its conversation, which gets a title of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::store) is_first: bool,
    /// How often somebody asked that it stop.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::store) stop: u64,
    /// How often a window asked for all that there is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::store) resync: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) expires_at: Option<u64>,
    /// Its conversation was deleted while it was made.
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

    /// Until when somebody may still be making it, in seconds; none when it has ended.
    pub(in crate::store) fn alive_until(&self) -> Option<u64> {
        match self.status {
            ReplyStatus::Pending => Some(self.start_by),
            ReplyStatus::Running => Some(self.lease_until.unwrap_or_default()),
            _ => None,
        }
    }

    /// Whether somebody may still be making it.
    pub(in crate::store) fn is_alive(&self, now: Millis) -> bool {
        self.alive_until().is_some_and(|until| until > now.seconds())
    }

    fn flags(&self) -> WorkerFlags {
        WorkerFlags { stop: self.stop > 0, resync: self.resync }
    }
}

/// What others ask of the worker of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerFlags {
    /// That it stop.
    pub stop: bool,
    /// That it send all there is: how often that was asked.
    pub resync: u64,
}

/// The right of one worker to make a reply, and what is wanted.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Where the reply stands.
    pub place: ReplyPlace,
    /// The model to ask.
    pub model: ModelName,
    /// How the reply is generated.
    pub params: GenerationParams,
    /// What the user said, when the reply belongs to no conversation.
    pub prompt: Option<Content>,
    /// What was asked of the worker before it came.
    pub flags: WorkerFlags,
    /// Whether it is the first of its conversation.
    pub is_first: bool,
    /// What is reserved for it.
    pub held: Option<Held>,
    pub(in crate::store) worker: String,
    pub(in crate::store) asked_at: Millis,
    /// How much of the text stands in parts, in bytes, and in how many.
    pub(in crate::store) saved: usize,
    pub(in crate::store) parts: u64,
}

impl Lease {
    /// The condition that it is still held.
    pub(in crate::store) fn held(&self) -> Expression {
        Expression::default()
            .when_equal("worker", text(self.worker.clone()))
            .when_equal("status", text(ReplyStatus::Running.as_str()))
    }
}

impl Store {
    /// Takes the lease of a reply for `worker` until `until`: only from a reply that waits, and only in its time.
    /// None for a duplicate or late delivery.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
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
            // The answer to our own first try may have been lost; then the lease is ours.
            None => {
                let seen = self.find_item::<ReplyItem>(key::reply_at(place)).await?;
                seen.filter(|item| item.worker.as_deref() == Some(worker))
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
