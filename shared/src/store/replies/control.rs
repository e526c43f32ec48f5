//! Looking at a reply from outside: whether it is being made, how it ended, and what its worker shall do.

use aws_sdk_dynamodb::types::ReturnValue;

use super::item::ReplyItem;
use crate::domain::{
    Content, ConversationId, Message, MessageId, Millis, ModelName, ReplyPlace, ReplyStatus, Role,
    TokenCount, UserId,
};
use crate::error::Result;
use crate::store::dynamo::{Expression, text};
use crate::store::{Store, key};

/// A reply, as it stands.
#[derive(Clone, Debug)]
pub enum FoundReply {
    /// Nobody has begun it.
    Waiting(ReplyPlace),
    /// Somebody is making it.
    BeingMade(ReplyPlace),
    /// It has ended: the message, and the number of its last chunk, as long as that is known.
    Ended(ReplyPlace, Message, Option<u64>),
}

/// What there is of a reply that is being made.
#[derive(Clone, Debug)]
pub struct ReplySnapshot {
    /// The text of the last checkpoint.
    pub content: Content,
    /// How many tokens it took.
    pub tokens: u64,
    /// The model that makes it.
    pub model: ModelName,
}

impl FoundReply {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> &ReplyPlace {
        let (Self::Waiting(place) | Self::BeingMade(place) | Self::Ended(place, ..)) = self;
        place
    }
}

impl Store {
    /// The reply with this id. One that nobody makes any more is ended first.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
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
        let there = self.find_item::<ReplyItem>(key::reply_at(&place)).await?;
        let Some(item) = there.filter(|item| item.id == *message && !item.orphaned) else {
            let Some(conversation) = conversation else { return Ok(None) };
            return self.find_ended(user, conversation, message).await;
        };
        if item.is_alive(now) {
            let waits = item.status == ReplyStatus::Pending;
            return Ok(Some(if waits { FoundReply::Waiting(place) } else { FoundReply::BeingMade(place) }));
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

    /// The item of a reply that has ended, now if not before.
    async fn ended_item(
        &self,
        place: &ReplyPlace,
        item: ReplyItem,
        now: Millis,
    ) -> Result<Option<ReplyItem>> {
        if item.status.is_end() {
            return Ok(Some(item));
        }
        // Refused means that somebody else has ended it.
        self.interrupt(place, item, now).await?;
        self.find_item(key::reply_at(place)).await
    }

    /// The message of a reply that has ended.
    async fn find_ended(
        &self,
        user: UserId,
        conversation: &ConversationId,
        message: &MessageId,
    ) -> Result<Option<FoundReply>> {
        let Some(seen) = self.standing(user, conversation).await?.conversation() else { return Ok(None) };
        let Some(stored) = self.find_message(user, &seen, message).await? else { return Ok(None) };
        let place = ReplyPlace::stored(user, conversation.clone(), message.clone(), stored.number);
        let has_ended = stored.message.status.is_some_and(ReplyStatus::is_end);
        Ok(has_ended.then_some(FoundReply::Ended(place, stored.message, None)))
    }

    /// What there is of a reply that is being made.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn find_reply_so_far(&self, place: &ReplyPlace) -> Result<Option<ReplySnapshot>> {
        let Some(item) = self.find_item::<ReplyItem>(key::reply_at(place)).await? else { return Ok(None) };
        let content = self.kept_text(place, &item).await?;
        let tokens = item.charge.map_or(0, |charge| charge.usage.output);
        Ok(Some(ReplySnapshot { content, tokens, model: item.model }))
    }

    /// Asks the worker of a reply to stop. False when nobody makes it any more.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn ask_to_stop(&self, place: &ReplyPlace) -> Result<bool> {
        self.raise(place, "stop").await
    }

    /// Asks the worker of a reply to look for windows anew, and to send them all there is. False when nobody makes it any
    /// more.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn ask_to_resync(&self, place: &ReplyPlace) -> Result<bool> {
        self.raise(place, "resync").await
    }

    /// Raises a counter that the worker's next checkpoint brings back. Once more, after a lost answer, does no harm.
    async fn raise(&self, place: &ReplyPlace, flag: &str) -> Result<bool> {
        let running = text(ReplyStatus::Running.as_str());
        let expression = Expression::default().add(flag, 1).when_equal("status", running);
        Ok(self.update(key::reply_at(place), &expression, ReturnValue::None).await?.is_some())
    }

    /// How long, in seconds, nobody else may take a reply for abandoned; none when it has ended or is gone.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn reply_alive_until(&self, place: &ReplyPlace) -> Result<Option<(ReplyStatus, u64)>> {
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

/// A reply that belongs to no conversation is all there is of its message.
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
