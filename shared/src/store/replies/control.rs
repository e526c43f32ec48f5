//! Reading and controlling a reply from outside its worker: its state and text, and stop and resync requests.

use aws_sdk_dynamodb::types::ReturnValue;

use super::item::ReplyItem;
use crate::domain::{
    Content, ConversationId, Message, MessageId, Millis, ModelName, ReplyPlace, ReplyStatus, Role,
    TokenCount, UserId,
};
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::dynamo::{Expression, text};
use crate::store::{Store, key};

/// The state of a reply.
#[derive(Clone, Debug)]
pub enum FoundReply {
    /// No worker has begun the reply.
    Pending(ReplyPlace),
    /// A worker is making the reply.
    Running(ReplyPlace),
    /// The reply has ended. Contains the message, and the number of its last chunk if that is still known.
    Ended(ReplyPlace, Message, Option<u64>),
}

/// What a running reply has so far.
#[derive(Clone, Debug)]
pub struct ReplySnapshot {
    /// The text of the last checkpoint.
    pub content: Content,
    /// How many tokens it has.
    pub tokens: u64,
    /// The model that generates it.
    pub model: ModelName,
}

impl FoundReply {
    /// The place of the reply.
    #[must_use]
    pub fn place(&self) -> &ReplyPlace {
        let (Self::Pending(place) | Self::Running(place) | Self::Ended(place, ..)) = self;
        place
    }
}

impl Store {
    /// Finds the reply with this id. A reply whose worker has died is ended first.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn find_reply(
        &self,
        user: UserId,
        conversation: Option<&ConversationId>,
        message: &MessageId,
        now: Millis,
    ) -> Result<Option<FoundReply>> {
        let place = match (conversation, message.number()) {
            (None, _) => ReplyPlace::loose(user, message.clone()),
            (Some(conversation), Some(number)) => {
                ReplyPlace::stored(user, conversation.clone(), message.clone(), number)
            }
            (Some(conversation), None) => return self.find_ended(user, conversation, message).await,
        };
        let found = self.find_item::<ReplyItem>(key::reply_at(&place)).await?;
        let Some(item) = found.filter(|item| item.id == *message && !item.orphaned) else {
            let Some(conversation) = conversation else { return Ok(None) };
            return self.find_ended(user, conversation, message).await;
        };
        if item.is_alive(now) {
            let is_pending = item.status == ReplyStatus::Pending;
            return Ok(Some(if is_pending {
                FoundReply::Pending(place)
            } else {
                FoundReply::Running(place)
            }));
        }
        let item = self.ended_item(&place, item, now).await?;
        match conversation {
            Some(conversation) => {
                let found = self.find_ended(user, conversation, message).await?;
                Ok(found.map(|found| found.with_seq(item.and_then(|item| item.seq))))
            }
            None => Ok(item.map(|item| ended(place, item))),
        }
    }

    /// The item of a reply whose worker is no longer alive. Ends the reply if that has not been done.
    async fn ended_item(
        &self,
        place: &ReplyPlace,
        item: ReplyItem,
        now: Millis,
    ) -> Result<Option<ReplyItem>> {
        if item.status.is_end() {
            return Ok(Some(item));
        }
        // A refusal means that another request has ended it.
        self.interrupt(place, item, now).await?;
        self.find_item(key::reply_at(place)).await
    }

    /// Finds the message of a reply that has ended.
    async fn find_ended(
        &self,
        user: UserId,
        conversation: &ConversationId,
        message: &MessageId,
    ) -> Result<Option<FoundReply>> {
        let Some(item) = self.find_slot(user, conversation).await?.conversation() else { return Ok(None) };
        let Some(stored) = self.find_message(user, &item, message).await? else { return Ok(None) };
        let place = ReplyPlace::stored(user, conversation.clone(), message.clone(), stored.number);
        let has_ended = stored.message.status.is_some_and(ReplyStatus::is_end);
        Ok(has_ended.then_some(FoundReply::Ended(place, stored.message, None)))
    }

    /// What a running reply has so far.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn find_reply_snapshot(&self, place: &ReplyPlace) -> Result<Option<ReplySnapshot>> {
        let Some(item) = self.find_item::<ReplyItem>(key::reply_at(place)).await? else { return Ok(None) };
        let content = self.checkpointed_text(place, &item).await?;
        let tokens = item.charge.map_or(0, |charge| charge.usage.output);
        Ok(Some(ReplySnapshot { content, tokens, model: item.model }))
    }

    /// Requests that the worker of a reply stop. False when the reply is not running.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn request_stop(&self, place: &ReplyPlace) -> Result<bool> {
        self.increment_flag(place, "stop").await
    }

    /// Requests that the worker of a reply read the user's connections again and send the whole text to all of them.
    /// False when the reply is not running.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn request_resync(&self, place: &ReplyPlace) -> Result<bool> {
        self.increment_flag(place, "resync").await
    }

    /// Increments a counter that the worker's next checkpoint reads. Repeating this after a lost answer is harmless.
    async fn increment_flag(&self, place: &ReplyPlace, flag: &str) -> Result<bool> {
        let running = text(ReplyStatus::Running.as_str());
        let expression = Expression::default().add(flag, 1).when_equal("status", running);
        Ok(self.update(key::reply_at(place), &expression, ReturnValue::None).await?.is_some())
    }

    /// Finds the status of a reply, and when its lease (or its start deadline) ends, in seconds since the epoch. `None`
    /// when the reply has ended or is gone.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn find_reply_alive_until(&self, place: &ReplyPlace) -> Result<Option<(ReplyStatus, u64)>> {
        let item =
            self.find_item::<ReplyItem>(key::reply_at(place)).await?.filter(|item| item.id == place.message);
        Ok(item.and_then(|item| Some((item.status, item.alive_until()?))))
    }
}

impl FoundReply {
    fn with_seq(self, seq: Option<u64>) -> Self {
        match self {
            Self::Ended(place, message, _) => Self::Ended(place, message, seq),
            other => other,
        }
    }
}

/// Builds the message of an unstored reply from the reply's item.
fn ended(place: ReplyPlace, item: ReplyItem) -> FoundReply {
    let seq = item.seq;
    let message = Message {
        id: item.id,
        role: Role::Assistant,
        content: item.content.map_or_else(|| Content::of_reply(""), |packed| packed.0),
        timestamp: item.asked_at,
        model: Some(item.model),
        tokens: TokenCount::try_from(item.tokens).ok(),
        status: Some(item.status),
    };
    FoundReply::Ended(place, message, seq)
}
