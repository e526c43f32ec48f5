//! The life of a reply in the store: leased by one worker, checkpointed while it is made, ended once.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::{Deserialize, Serialize};

use super::Store;
use super::expression::{Expression, Write, number, text};
use super::key::{self, Key};
use super::packing::packed;
use super::transaction::from_item;
use crate::domain::conversation::preview_of;
use crate::domain::statistics::{DayTally, Tally};
use crate::domain::{Content, ConversationId, MessageId, Millis, ModelName, ReplyStatus, TokenCount, UserId};
use crate::error::Result;

/// A reply that no worker has begun by then never begins.
const START_WITHIN_SECONDS: u64 = 75;

/// Where a reply stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyPlace {
    /// Whose it is.
    pub user: UserId,
    /// The id of the assistant's message.
    pub message: MessageId,
    /// The conversation and the message's number in it; none for a reply that belongs to no conversation.
    pub within: Option<(ConversationId, u64)>,
}

impl ReplyPlace {
    pub(super) fn stored(
        user: UserId,
        conversation: ConversationId,
        message: MessageId,
        number: u64,
    ) -> Self {
        Self { user, message, within: Some((conversation, number)) }
    }

    pub(super) fn loose(user: UserId, message: MessageId) -> Self {
        Self { user, message, within: None }
    }

    /// The conversation it stands in.
    #[must_use]
    pub fn conversation(&self) -> Option<&ConversationId> {
        self.within.as_ref().map(|(conversation, _)| conversation)
    }

    fn key(&self) -> Key {
        match &self.within {
            Some((conversation, number)) => key::reply(self.user, conversation, *number),
            None => key::loose_reply(self.user, &self.message),
        }
    }
}

/// What a worker needs about a reply, and writes while it makes it. Small, since it is written every second.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReplyItem {
    pub(super) id: MessageId,
    pub(super) status: ReplyStatus,
    /// When it was asked for: the time of the message, by which it is counted.
    pub(super) asked_at: Millis,
    /// Until when a worker may begin, in seconds.
    pub(super) start_by: u64,
    pub(super) model: ModelName,
    pub(super) temperature: f64,
    pub(super) max_tokens: u32,
    /// What the user said, when there is no conversation to read it from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prompt: Option<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) worker: Option<String>,
    /// Until when the worker is believed to live, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lease_until: Option<u64>,
    /// The text so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<u64>,
}

impl ReplyItem {
    pub(super) fn pending(
        id: &MessageId,
        model: &ModelName,
        temperature: f64,
        max_tokens: u32,
        now: Millis,
    ) -> Self {
        Self {
            id: id.clone(),
            status: ReplyStatus::Pending,
            asked_at: now,
            start_by: now.plus_seconds(START_WITHIN_SECONDS).seconds(),
            model: model.clone(),
            temperature,
            max_tokens,
            prompt: None,
            worker: None,
            lease_until: None,
            content: None,
            expires_at: None,
        }
    }

    /// Whether somebody may still be making it.
    fn is_alive(&self, now: Millis) -> bool {
        match self.status {
            ReplyStatus::Pending => self.start_by > now.seconds(),
            ReplyStatus::Running => self.lease_until.is_some_and(|until| until > now.seconds()),
            _ => false,
        }
    }
}

/// The right of one worker to make a reply, and what is wanted.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Where the reply stands.
    pub place: ReplyPlace,
    /// The model to ask.
    pub model: ModelName,
    /// From 0 to 2.
    pub temperature: f64,
    /// The most tokens of the reply.
    pub max_tokens: u32,
    /// What the user said, when the reply belongs to no conversation.
    pub prompt: Option<Content>,
    worker: String,
    asked_at: Millis,
}

/// How a reply ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// One of the ends.
    pub status: ReplyStatus,
    /// All the text there is.
    pub content: Content,
    /// How many tokens it took.
    pub tokens: TokenCount,
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
        let updated = self.update(place.key(), &expression, ReturnValue::AllNew).await?;
        let item = match updated {
            Some(item) => Some(from_item::<ReplyItem>(item)?),
            // The answer to our own first try may have been lost; then the lease is ours.
            None => {
                let seen = self.find_item::<ReplyItem>(place.key()).await?;
                seen.filter(|item| item.worker.as_deref() == Some(worker))
            }
        };
        Ok(item.map(|item| lease(place, item, worker)))
    }

    /// Renews the lease until `until` and keeps the text so far. False when the lease is lost: the worker must
    /// push nothing more.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn checkpoint_reply(&self, lease: &Lease, content: &Content, until: Millis) -> Result<bool> {
        let expression =
            held(lease).set("lease_until", number(until.seconds())).set("content", text(content.as_str()));
        self.update_reply(&lease.place, expression).await
    }

    /// Ends a reply: its text, its tokens, all counters and the conversation, in one transaction. False when the
    /// lease was lost or the conversation is gone; then nothing changed.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn end_reply(&self, lease: &Lease, ending: &Ending, now: Millis) -> Result<bool> {
        self.end(&lease.place, lease.asked_at, held(lease), ending, now).await
    }

    /// Ends a reply that was not handed over to any worker. False when one has begun it; then nothing changed.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn fail_unstarted_reply(&self, place: &ReplyPlace, now: Millis) -> Result<bool> {
        let waits = Expression::default().when_equal("status", text(ReplyStatus::Pending.as_str()));
        let content = Content::of_reply("");
        let ending = Ending { status: ReplyStatus::Failed, content, tokens: TokenCount::default() };
        self.end(place, now, waits, &ending, now).await
    }

    /// Ends the reply that `conversation` says is being made, if nobody is making it any more. False while somebody may
    /// be.
    pub(super) async fn end_abandoned_reply(
        &self,
        user: UserId,
        conversation: &ConversationId,
        number: u64,
        now: Millis,
    ) -> Result<bool> {
        let item = self.find_item::<ReplyItem>(key::reply(user, conversation, number)).await?;
        // Without the item, the conversation is being deleted: the next look at it will tell.
        let Some(item) = item else { return Ok(true) };
        if item.is_alive(now) {
            return Ok(false);
        }
        let unchanged = Expression::default().when_equal("status", text(item.status.as_str()));
        let unchanged = match &item.lease_until {
            Some(until) => unchanged.when_equal("lease_until", super::expression::number(until)),
            None => unchanged,
        };
        let content = item.content.unwrap_or_else(|| Content::of_reply(""));
        let ending = Ending { status: ReplyStatus::Interrupted, content, tokens: TokenCount::default() };
        let place = ReplyPlace::stored(user, conversation.clone(), item.id, number);
        self.end(&place, item.asked_at, unchanged, &ending, now).await?;
        Ok(true)
    }

    async fn end(
        &self,
        place: &ReplyPlace,
        asked_at: Millis,
        condition: Expression,
        ending: &Ending,
        now: Millis,
    ) -> Result<bool> {
        let reply =
            condition.set("status", text(ending.status.as_str())).set("tokens", number(ending.tokens.get()));
        let Some((conversation, message_number)) = &place.within else {
            let reply = reply.set("content", text(ending.content.as_str()));
            return Ok(self.update_reply(place, reply).await? || self.has_ended(place, ending).await?);
        };
        let message = Expression::default()
            .set("status", text(ending.status.as_str()))
            .set("text", packed(&ending.content))
            .set("tokens", number(ending.tokens.get()))
            .when_exists("pk");
        // The message holds the text from now on; the item that was written every second forgets it.
        let reply = reply.remove("content");
        let counts = self.count(place.user, &settled(ending, asked_at));
        let idle = Expression::default()
            .remove("running")
            .set("updated_at", number(now.get()))
            .set("updated", text(key::place_in_list(now, conversation)))
            .add("version", 1)
            .when_equal("running", number(message_number));
        // As a rule the reply is the last message, and the list shows how it begins.
        let shown = idle.clone().set("preview", text(preview_of(&ending.content)));
        let shown = shown.when_equal("leaf", number(message_number));
        for idle in [shown, idle] {
            let mut writes = vec![
                Write::update(&self.studio, key::conversation(place.user, conversation), idle),
                Write::update(&self.studio, place.key(), reply.clone()),
                Write::update(
                    &self.studio,
                    key::message(place.user, conversation, *message_number),
                    message.clone(),
                ),
            ];
            writes.extend(counts.clone());
            match self.transact(writes).await?.refused() {
                [] => return Ok(true),
                [0, ..] => {}
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Whether the reply ended like this already: the answer to our own first try may have been lost.
    async fn has_ended(&self, place: &ReplyPlace, ending: &Ending) -> Result<bool> {
        let item = self.find_item::<ReplyItem>(place.key()).await?;
        Ok(item.is_some_and(|item| {
            item.status == ending.status && item.content.as_ref() == Some(&ending.content)
        }))
    }

    async fn update_reply(&self, place: &ReplyPlace, expression: Expression) -> Result<bool> {
        Ok(self.update(place.key(), &expression, ReturnValue::None).await?.is_some())
    }
}

fn held(lease: &Lease) -> Expression {
    Expression::default()
        .when_equal("worker", text(lease.worker.clone()))
        .when_equal("status", text(ReplyStatus::Running.as_str()))
}

fn lease(place: &ReplyPlace, item: ReplyItem, worker: &str) -> Lease {
    Lease {
        place: place.clone(),
        model: item.model,
        temperature: item.temperature,
        max_tokens: item.max_tokens,
        prompt: item.prompt,
        worker: worker.to_owned(),
        asked_at: item.asked_at,
    }
}

/// What the end adds to the counters: the message itself was counted when the turn began, empty.
fn settled(ending: &Ending, asked_at: Millis) -> Tally {
    let tokens = i64::try_from(ending.tokens.get()).unwrap_or(i64::MAX);
    let length = ending.content.as_str().chars().count();
    let mut change =
        Tally { tokens, response_length: i64::try_from(length).unwrap_or(i64::MAX), ..Tally::default() };
    change.days.insert(asked_at.day(), DayTally { tokens, ..DayTally::default() });
    change
}
