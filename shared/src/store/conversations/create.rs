//! Conversations: created, found, and what their writes have in common.

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
    /// Stores a conversation that must not be there, whole or not at all.
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
            return Ok(Creation::Now(item.version()));
        }
        match self.standing(user, id).await? {
            // Somebody is creating a large one under this id, or died over it: whoever is done first has it.
            ConversationSlot::Shell(_) => {
                self.create_large_conversation(user, conversation, &change, once).await
            }
            standing => self.created_before(user, once, &standing).await,
        }
    }

    /// What the same request made before, or why it can make nothing.
    pub(in crate::store) async fn created_before<T>(
        &self,
        user: UserId,
        once: Option<&Once>,
        standing: &ConversationSlot,
    ) -> Result<Creation<T>> {
        let made = self.find_made(user, once).await?;
        made.map(Creation::Before).ok_or_else(|| why_not_created(standing))
    }

    /// What stands in a conversation's place, read consistently.
    pub(in crate::store) async fn standing(
        &self,
        user: UserId,
        id: &ConversationId,
    ) -> Result<ConversationSlot> {
        ConversationSlot::of(self.get_item(&self.studio, key::conversation(user, id)).await?)
    }

    /// The conversation's own item, read consistently.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub(in crate::store) async fn get_conversation_item(
        &self,
        user: UserId,
        id: &ConversationId,
    ) -> Result<ConversationItem> {
        self.standing(user, id).await?.conversation().ok_or_else(Error::no_conversation)
    }

    /// The writes that put `messages` in a line behind the message `parent`, numbered from `first`.
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

    /// The write that leads from a message's id to its number, unless the id tells it. It fails when the revision has a
    /// message with this id.
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

    /// The message with this id in a conversation as it was seen.
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

    /// The conversation, and the message with this id in it. Between two reads a conversation can be rewritten, and its
    /// messages have other places then.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the conversation is not there; [`Code::Conflict`] when it kept changing.
    pub(in crate::store) async fn find_message_in_latest(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &MessageId,
    ) -> Result<(ConversationItem, Option<StoredMessage>)> {
        let mut seen = self.get_conversation_item(user, id).await?;
        let mut attempts = retry::WHOLE_CONVERSATION.attempts();
        while attempts.next().await {
            if let Some(found) = self.find_message(user, &seen, message).await? {
                return Ok((seen, Some(found)));
            }
            let now = self.get_conversation_item(user, id).await?;
            if now.revision == seen.revision {
                return Ok((seen, None));
            }
            seen = now;
        }
        Err(kept_changing())
    }

    /// The message with this number, read consistently.
    pub(in crate::store) async fn find_message_at(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        number: u64,
    ) -> Result<Option<StoredMessage>> {
        let item = self.get_item(&self.studio, key::message(user, &conversation.id, number)).await?;
        let stored = item.map(stored_message).transpose()?.flatten();
        Ok(stored.filter(|stored| conversation.owns(stored)))
    }

    /// Calls a conversation `title`, if it is still called `before`. False when it is not.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
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

/// The item that leads from a message's id to its number, unless the id tells it.
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

/// What a conversation's own item says of `summary`, for an update of it. Where the user keeps it is not touched.
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

/// Why a conversation could not be created.
pub(in crate::store) fn why_not_created(standing: &ConversationSlot) -> Error {
    match standing {
        ConversationSlot::Tombstone(_) => conversation_deleted(),
        // Nothing is in the way but that the account is gone.
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
    Error::new(Code::ConversationDeleted, "This conversation was deleted; please choose another id")
}

/// Refuses to go on with a conversation that kept changing.
pub(in crate::store) fn kept_changing() -> Error {
    Error::new(Code::Conflict, "The conversation kept changing. Please try again.")
}

/// Whether a conversation with these messages can be written at once: in number, and in size (DynamoDB takes 4 MB).
pub(in crate::store) fn fits_one_transaction(messages: &[Message], change: &Tally) -> bool {
    let bytes: usize = messages.iter().map(|message| message.content.as_str().len() + 1024).sum();
    // Each message may need a reference; besides, there are the conversation, the totals and what a request made.
    Store::count_fits(change, messages.len() * 2 + 3) && bytes < 3_000_000
}
