//! Creating conversations, looking up conversation slots and messages, and the errors and expressions that all writes
//! of conversations share.

use super::item::{ConversationItem, Revision, conversation_item};
use super::message_item::{ReferenceItem, StoredMessage, stored_message};
use super::slot::ConversationSlot;
use crate::domain::statistics::Tally;
use crate::domain::{
    Conversation, ConversationId, Message, MessageId, Once, Summary, Title, UserId, Version,
};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::dynamo::{Expression, Item, Write, item_at, number, text};
use crate::store::idempotency::Creation;
use crate::store::{Store, key};

impl Store {
    /// Creates a conversation with its messages, all or nothing. With `once`, a repetition of the same request creates
    /// nothing and returns the id that the first request created.
    ///
    /// # Errors
    /// [`Code::ConversationExists`], [`Code::ConversationDeleted`], [`Code::IdempotencyKeyReused`].
    pub async fn create_conversation(
        &self,
        user: UserId,
        conversation: &Conversation,
        once: Option<&Once>,
    ) -> Result<Creation<Version>> {
        let id = &conversation.summary.id;
        self.account_conversation(conversation.messages.len()).await?;
        let mut change = Tally::default();
        change.count_conversation(&conversation.summary, 1);
        change.count_messages(&conversation.messages, 1);
        if !fits_one_transaction(&conversation.messages, &change) {
            return self.create_large_conversation(user, conversation, &change, once).await;
        }
        let item = ConversationItem::new(user, &conversation.summary).with_messages(&conversation.messages);
        let mut writes = vec![Write::create(&self.studio, conversation_item(user, &item)?)];
        writes.extend(self.new_messages(user, &item, &conversation.messages, 0, None)?);
        writes.extend(self.count(user, &change));
        writes.push(self.count_conversations(1));
        if let Some(once) = once {
            writes.push(self.remember(user, once, id.as_str())?);
        }
        if self.transact(writes).await?.is_committed() {
            self.count_far_days(user, &change).await?;
            return Ok(Creation::New(item.version()));
        }
        match self.find_slot(user, id).await? {
            // Another request is creating a large conversation under this id, or died while it did so. The request that
            // finishes first creates the conversation.
            ConversationSlot::Shell(_) => {
                self.create_large_conversation(user, conversation, &change, once).await
            }
            slot => self.earlier_or_refusal(user, once, &slot).await,
        }
    }

    /// The result of an earlier request with the same idempotency key; otherwise the error that says why `slot`
    /// prevented the creation.
    pub(in crate::store) async fn earlier_or_refusal<T>(
        &self,
        user: UserId,
        once: Option<&Once>,
        slot: &ConversationSlot,
    ) -> Result<Creation<T>> {
        let earlier = self.find_earlier_result(user, once).await?;
        earlier.map(Creation::Repeated).ok_or_else(|| why_not_created(slot))
    }

    /// Finds out what is in the place of a conversation, read consistently.
    pub(in crate::store) async fn find_slot(
        &self,
        user: UserId,
        id: &ConversationId,
    ) -> Result<ConversationSlot> {
        ConversationSlot::of(self.find_raw_item(&self.studio, key::conversation(user, id)).await?)
    }

    /// Gets a conversation's own item, read consistently.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub(in crate::store) async fn get_conversation_item(
        &self,
        user: UserId,
        id: &ConversationId,
    ) -> Result<ConversationItem> {
        self.find_slot(user, id).await?.conversation().ok_or_else(Error::no_conversation)
    }

    /// The writes that store `messages`, each following the one before it and the first following message number
    /// `parent`. Their numbers begin with `first`.
    pub(in crate::store) fn new_messages(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        messages: &[Message],
        first: u64,
        mut parent: Option<u64>,
    ) -> Result<Vec<Write>> {
        let (id, revision) = (&conversation.id, &conversation.revision);
        let mut writes = Vec::with_capacity(messages.len() * 2);
        for (message, number) in messages.iter().zip(first..) {
            let stored = StoredMessage {
                number,
                revision: revision.clone(),
                parent: parent.replace(number),
                message: message.clone(),
            };
            writes.push(stored.put(&self.studio, user, id)?);
            writes.extend(self.reference(user, id, revision, &message.id, number)?);
        }
        Ok(writes)
    }

    /// The write that creates the reference from a message's id to its number, unless the id contains the number. Its
    /// condition fails when the revision has a message with this id already.
    pub(in crate::store) fn reference(
        &self,
        user: UserId,
        conversation: &ConversationId,
        revision: &Revision,
        message: &MessageId,
        number: u64,
    ) -> Result<Option<Write>> {
        let item = reference_item(user, conversation, revision, message, number)?;
        Ok(item.map(|item| Write::create(&self.studio, item)))
    }

    /// Finds the message with this id in the revision of `conversation`, which was read before.
    pub(in crate::store) async fn find_message(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        message: &MessageId,
    ) -> Result<Option<StoredMessage>> {
        let id = &conversation.id;
        if let Some(number) = message.number()
            && let Some(stored) = self.find_message_at(user, conversation, number).await?
            && stored.message.id == *message
        {
            return Ok(Some(stored));
        }
        let reference = key::reference(user, id, conversation.revision.as_str(), message);
        let Some(ReferenceItem { number }) = self.find_item(reference).await? else { return Ok(None) };
        let stored = self.find_message_at(user, conversation, number).await?;
        Ok(stored.filter(|stored| stored.message.id == *message))
    }

    /// Gets a conversation and finds the message with this id in it. If the conversation is rewritten between the two
    /// reads, the messages have other numbers, so the search is repeated.
    ///
    /// # Errors
    /// [`Code::NotFound`] when there is no such conversation; [`Code::Conflict`] when it was rewritten on all attempts.
    pub(in crate::store) async fn find_message_in_latest(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &MessageId,
    ) -> Result<(ConversationItem, Option<StoredMessage>)> {
        let mut conversation = self.get_conversation_item(user, id).await?;
        let mut attempts = retry::WHOLE_CONVERSATION.attempts();
        while attempts.next().await {
            if let Some(found) = self.find_message(user, &conversation, message).await? {
                return Ok((conversation, Some(found)));
            }
            let current = self.get_conversation_item(user, id).await?;
            if current.revision == conversation.revision {
                return Ok((conversation, None));
            }
            conversation = current;
        }
        Err(kept_changing())
    }

    /// Finds the message with this number, read consistently.
    pub(in crate::store) async fn find_message_at(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        number: u64,
    ) -> Result<Option<StoredMessage>> {
        let item = self.find_raw_item(&self.studio, key::message(user, &conversation.id, number)).await?;
        let stored = item.map(stored_message).transpose()?.flatten();
        Ok(stored.filter(|stored| conversation.owns(stored)))
    }

    /// Renames a conversation to `title` if its title is still `before`. False when it is not.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn rename_conversation(
        &self,
        user: UserId,
        id: &ConversationId,
        before: &Title,
        title: &Title,
    ) -> Result<bool> {
        let expression = Expression::default()
            .set("title", text(title.as_str()))
            .add("version", 1)
            .when_equal("kind", text("conversation"))
            .when_equal("title", text(before.as_str()));
        let update = Write::update(&self.studio, key::conversation(user, id), expression);
        Ok(self.transact(vec![update]).await?.is_committed())
    }
}

/// The reference from a message's id to its number; `None` when the id contains the number.
pub(in crate::store) fn reference_item(
    user: UserId,
    conversation: &ConversationId,
    revision: &Revision,
    message: &MessageId,
    number: u64,
) -> Result<Option<Item>> {
    if message.number() == Some(number) {
        return Ok(None);
    }
    let key = key::reference(user, conversation, revision.as_str(), message);
    Ok(Some(item_at(key, "reference", &ReferenceItem { number })?))
}

/// The update of a conversation's own item that stores `summary`. It does not change how the user has filed the
/// conversation.
pub(in crate::store) fn summary_expression(user: UserId, summary: &Summary) -> Expression {
    Expression::default()
        .set("id", text(summary.id.as_str()))
        .set("owner", text(key::user_partition(user)))
        .set("updated", text(key::place_in_list(summary.updated_at, &summary.id)))
        .set("title", text(summary.title.as_str()))
        .set("created_at", number(summary.created_at.get()))
        .set("updated_at", number(summary.updated_at.get()))
        .set("model", text(summary.model.as_str()))
        .set_or_remove("system_prompt", summary.system_prompt.as_ref().map(|prompt| text(prompt.as_str())))
}

/// The error that says why a conversation could not be created.
pub(in crate::store) fn why_not_created(slot: &ConversationSlot) -> Error {
    match slot {
        ConversationSlot::Tombstone(_) => conversation_deleted(),
        // The place is free, so the condition that failed is that the account exists.
        ConversationSlot::Absent => Error::new(Code::Unauthenticated, "Could not validate credentials"),
        ConversationSlot::Shell(_) | ConversationSlot::Conversation(_) => {
            Error::new(Code::ConversationExists, "You have a conversation with this id already")
        }
    }
}

pub(in crate::store) fn reply_running() -> Error {
    Error::new(Code::ReplyRunning, "A reply is being made in this conversation")
}

pub(in crate::store) fn conversation_deleted() -> Error {
    Error::new(Code::ConversationDeleted, "This conversation was deleted. Choose another id")
}

/// The error when other requests changed the conversation during every attempt.
pub(in crate::store) fn kept_changing() -> Error {
    Error::new(Code::Conflict, "Other requests kept changing the conversation. Please try again.")
}

/// Whether one transaction can write a conversation with these messages, in number of writes and in size (DynamoDB
/// allows 4 MB).
pub(in crate::store) fn fits_one_transaction(messages: &[Message], change: &Tally) -> bool {
    let bytes: usize = messages.iter().map(|message| message.content.as_str().len() + 1024).sum();
    // Each message may need a reference. The three other writes are the conversation item, the studio totals and the
    // idempotency record; `count_fits` adds the user's counters.
    Store::count_fits(change, messages.len() * 2 + 3) && bytes < 3_000_000
}
