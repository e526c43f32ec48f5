//! Appending messages one by one, and finding where a new message goes. Turns append their messages in the same way,
//! with `parent_of_new` and `append_writes`. A turn with a `parentId` appends its two messages after that message; a
//! regenerated reply is appended after the message that the old reply follows. The new messages become siblings of
//! existing ones, on a new branch that becomes the current one, and no message is lost.

use std::collections::{BTreeMap, BTreeSet};

use ulid::Ulid;

use crate::domain::conversations::conversation::preview;
use crate::domain::statistics::Tally;
use crate::domain::{
    Branch, Content, ConversationId, Expected, Follows, Message, MessageId, Millis, ModelName, Once, Role,
    TokenCount, UserId, Version,
};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::conversations::create::kept_changing;
use crate::store::conversations::item::ConversationItem;
use crate::store::conversations::message_item::{StoredMessage, stored_message};
use crate::store::conversations::version::check_version;
use crate::store::dynamo::{KeyRange, Write, number, text};
use crate::store::idempotency::Creation;
use crate::store::{Store, key};

/// A message to append.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The id that the client chose; without one, an id is made from `fresh`.
    pub id: Option<MessageId>,
    /// The ULID from which an id is made.
    pub fresh: Ulid,
    /// The author.
    pub role: Role,
    /// The text.
    pub content: Content,
    /// When it was written.
    pub timestamp: Millis,
    /// The AI model that wrote it, if it is a reply.
    pub model: Option<ModelName>,
    /// How many tokens it has.
    pub tokens: Option<TokenCount>,
    /// Which message it follows.
    pub follows: Follows,
}

impl NewMessage {
    fn message(&self, number: u64) -> Message {
        Message {
            id: self.id.clone().unwrap_or_else(|| MessageId::new(self.fresh, number)),
            role: self.role,
            content: self.content.clone(),
            timestamp: self.timestamp,
            model: self.model.clone(),
            tokens: self.tokens,
            status: None,
        }
    }

    /// The parent's id as far as it is known without a request; see [`ShownMessage::parent_id`].
    fn known_parent_id(&self, conversation: &ConversationItem) -> Option<Option<MessageId>> {
        match &self.follows {
            Follows::Message(parent) => Some(parent.clone()),
            Follows::Leaf => conversation.leaf.is_none().then_some(None),
        }
    }
}

/// A stored message, and the id of the message that it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownMessage {
    /// The message.
    pub message: Message,
    /// The id of the parent: the message that it follows. `None` when only the number of the parent is known, because
    /// finding the id would take another request; `Some(None)` when there is no parent.
    pub parent_id: Option<Option<MessageId>>,
}

pub(in crate::store) fn no_message() -> Error {
    Error::new(Code::NotFound, "Message not found")
}

pub(in crate::store) fn message_exists() -> Error {
    Error::new(Code::MessageExists, "The conversation has another message with this id")
}

pub(in crate::store) fn no_parent() -> Error {
    Error::invalid_field("parentId", "must be the id of a message of this conversation")
}

impl Store {
    /// Appends a message. A message that the conversation already has (by its id, or by `once`) is not appended again
    /// but returned.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::PreconditionFailed`]; [`Code::MessageExists`] when another message has the id;
    /// [`Code::Invalid`] when the message that it follows does not exist; [`Code::Conflict`] when the conversation was
    /// changed on all attempts.
    pub async fn append_message(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &NewMessage,
        expected: &Expected,
        once: Option<&Once>,
        now: Millis,
    ) -> Result<Creation<(ShownMessage, Version)>> {
        let mut attempts = retry::CONVERSATION.attempts();
        while attempts.next().await {
            let conversation = self.get_conversation_item(user, id).await?;
            let is_repeated = attempts.is_repeated();
            if let Some(existing) = self.find_existing(user, &conversation, message, is_repeated).await? {
                return Ok(Creation::New((existing, conversation.version())));
            }
            check_version(expected, &conversation.version())?;
            let parent = match self.parent_of_new(user, &conversation, &message.follows).await {
                Ok(parent) => parent,
                Err(refused) => match self.appended_before(user, &conversation, message, once).await? {
                    Some(appended) => return Ok(appended),
                    None if self.has_revision(user, &conversation).await? => return Err(refused),
                    None => continue,
                },
            };
            let stored = StoredMessage {
                number: conversation.next_number,
                revision: conversation.revision.clone(),
                parent,
                message: message.message(conversation.next_number),
            };
            if self.try_append(user, &conversation, &stored, once, now).await? {
                let parent_id = message.known_parent_id(&conversation);
                let version = Version::new(conversation.version + 1, conversation.revision.as_str());
                return Ok(Creation::New((ShownMessage { message: stored.message, parent_id }, version)));
            }
            if let Some(earlier) = self.find_earlier_result(user, once).await? {
                return Ok(Creation::Repeated(earlier));
            }
        }
        Err(kept_changing())
    }

    /// Tries to append a message once; false if the version is stale or the message has been stored. The caller then
    /// retries.
    async fn try_append(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        stored: &StoredMessage,
        once: Option<&Once>,
        now: Millis,
    ) -> Result<bool> {
        let mut writes = self.append_writes(user, conversation, stored, false, now).await?;
        if let Some(once) = once {
            writes.push(self.remember(user, once, stored.message.id.as_str())?);
        }
        let mut change = Tally::default();
        change.count_message(&stored.message, 1);
        writes.extend(self.count(user, &change));
        Ok(self.transact(writes).await?.is_committed())
    }

    /// The outcome of an earlier request that appended the same message. The message may have another parent by now.
    async fn appended_before(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        message: &NewMessage,
        once: Option<&Once>,
    ) -> Result<Option<Creation<(ShownMessage, Version)>>> {
        if let Some(earlier) = self.find_earlier_result(user, once).await? {
            return Ok(Some(Creation::Repeated(earlier)));
        }
        let existing = self.find_existing(user, conversation, message, true).await?;
        Ok(existing.map(|existing| Creation::New((existing, conversation.version()))))
    }

    /// Whether the conversation still has the revision with which it was read.
    async fn has_revision(&self, user: UserId, conversation: &ConversationItem) -> Result<bool> {
        let current = self.get_conversation_item(user, &conversation.id).await?;
        Ok(current.revision == conversation.revision)
    }

    /// The writes that append a message. `is_reply` says that the message is a reply that is about to be made.
    pub(in crate::store) async fn append_writes(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        stored: &StoredMessage,
        is_reply: bool,
        now: Millis,
    ) -> Result<Vec<Write>> {
        let conversation = &self.on_branch_of(user, conversation, stored.parent).await?;
        let up_to = self.count_up_to(user, conversation, stored.parent).await?;
        let appended = conversation
            .append_expression(stored.parent, up_to, 1)
            .set("preview", text(preview(&stored.message)))
            .set("updated_at", number(now.get()))
            .set("updated", text(key::place_in_list(now, &conversation.id)))
            .add("version", 1)
            .when_equal("version", number(conversation.version))
            .when_equal("kind", text("conversation"));
        let appended = if is_reply { appended.set("running", number(stored.number)) } else { appended };
        let mut writes = vec![
            Write::update(&self.studio, key::conversation(user, &conversation.id), appended),
            stored.create(&self.studio, user, &conversation.id)?,
        ];
        let (id, revision) = (&stored.message.id, &stored.revision);
        writes.extend(self.reference(user, &conversation.id, revision, id, stored.number)?);
        Ok(writes)
    }

    /// Finds the stored message that has the id of a new one. Skips the read on the first attempt for client-chosen ids
    /// without a number: the condition on the reference item detects duplicates. `is_retry`: this is not the first
    /// attempt.
    async fn find_existing(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        message: &NewMessage,
        is_retry: bool,
    ) -> Result<Option<ShownMessage>> {
        let Some(id) = message.id.as_ref().filter(|id| is_retry || id.number().is_some()) else {
            return Ok(None);
        };
        let Some(existing) = self.find_message(user, conversation, id).await? else { return Ok(None) };
        if existing.message.role != message.role || existing.message.content != message.content {
            return Err(message_exists());
        }
        let parent_id = Some(self.id_of(user, conversation, existing.parent).await?);
        Ok(Some(ShownMessage { message: existing.message, parent_id }))
    }

    /// Gets the message with this id.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn get_message(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &MessageId,
    ) -> Result<(ShownMessage, Version)> {
        let (conversation, existing) = self.find_message_in_latest(user, id, message).await?;
        let existing = existing.ok_or_else(no_message)?;
        let parent_id = Some(self.id_of(user, &conversation, existing.parent).await?);
        Ok((ShownMessage { message: existing.message, parent_id }, conversation.version()))
    }

    /// Returns the number of the message that a new message follows.
    pub(in crate::store) async fn parent_of_new(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        follows: &Follows,
    ) -> Result<Option<u64>> {
        match follows {
            Follows::Leaf => Ok(conversation.leaf),
            Follows::Message(None) => Ok(None),
            Follows::Message(Some(parent)) => match self.find_message(user, conversation, parent).await? {
                Some(parent) => Ok(Some(parent.number)),
                None => Err(no_parent()),
            },
        }
    }

    /// The conversation as if the branch that ends with message `last` were the current one. If the message is on the
    /// current branch, which is the usual case, this takes no request.
    pub(in crate::store) async fn on_branch_of(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        last: Option<u64>,
    ) -> Result<ConversationItem> {
        let mut selected = conversation.clone();
        let Some(last) = last.filter(|last| !conversation.shows(*last)) else { return Ok(selected) };
        let partition = key::conversation_partition(user, &conversation.id);
        let to = key::message(user, &conversation.id, last).sk;
        let mut parents = BTreeMap::new();
        let range = KeyRange::new(&self.studio, partition, key::MESSAGE, &to);
        self.query_each(&range, |message| {
            let stored = stored_message(message)?.filter(|stored| conversation.owns(stored));
            parents.extend(stored.map(|stored| (stored.number, stored.parent)));
            Ok(())
        })
        .await?;
        let (mut line, mut at) = (BTreeSet::new(), Some(last));
        // Parents have lower numbers, so this loop ends.
        while let Some(number) = at.filter(|number| line.insert(*number)) {
            at = parents.get(&number).copied().flatten();
        }
        selected.branch = Some(Branch::of(parents.keys().map(|number| (*number, line.contains(number)))));
        selected.leaf = Some(last);
        selected.message_count = line.len() as u64;
        Ok(selected)
    }

    /// How many messages lead to message `last`, which is on the current branch, including itself.
    pub(in crate::store) async fn count_up_to(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        last: Option<u64>,
    ) -> Result<u64> {
        let Some(last) = last else { return Ok(0) };
        if Some(last) == conversation.leaf {
            return Ok(conversation.message_count);
        }
        let partition = key::conversation_partition(user, &conversation.id);
        let first = key::message(user, &conversation.id, last + 1).sk;
        let beyond = KeyRange::new(&self.studio, partition, &first, key::AFTER_MESSAGES);
        let mut count = conversation.message_count;
        let is_beyond =
            |stored: &StoredMessage| conversation.owns(stored) && conversation.shows(stored.number);
        self.query_each(&beyond, |message| {
            if stored_message(message)?.is_some_and(|stored| is_beyond(&stored)) {
                count = count.saturating_sub(1);
            }
            Ok(())
        })
        .await?;
        Ok(count)
    }

    pub(in crate::store) async fn id_of(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        number: Option<u64>,
    ) -> Result<Option<MessageId>> {
        let Some(number) = number else { return Ok(None) };
        Ok(self.find_message_at(user, conversation, number).await?.map(|stored| stored.message.id))
    }
}
