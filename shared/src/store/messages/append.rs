//! Messages appended one by one, and found by their id.

use std::collections::{BTreeMap, BTreeSet};

use ulid::Ulid;

use crate::domain::conversation::preview;
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

/// A message that is to be stored.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The client's; without one, it is made.
    pub id: Option<MessageId>,
    /// What an id is made of.
    pub fresh: Ulid,
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content,
    /// When.
    pub timestamp: Millis,
    /// The AI model, of a reply.
    pub model: Option<ModelName>,
    /// How many tokens it took.
    pub tokens: Option<TokenCount>,
    /// Where it goes.
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
}

/// A message as it stands, and the id of the one it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownMessage {
    /// The message.
    pub message: Message,
    /// The message it follows; nothing where that is known only by its number, which spares a request.
    pub parent_id: Option<Option<MessageId>>,
}

pub(in crate::store) fn no_message() -> Error {
    Error::new(Code::NotFound, "Message not found")
}

pub(in crate::store) fn message_exists() -> Error {
    Error::new(Code::MessageExists, "The conversation has another message with this id")
}

pub(in crate::store) fn no_parent() -> Error {
    Error::invalid_field("parentId", "must be a message of this conversation")
}

impl Store {
    /// Appends a message. The same message again (by its id, or by its `once`) is the one that is there.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::PreconditionFailed`]; [`Code::MessageExists`] when another message has its id;
    /// [`Code::Invalid`] when the message that it follows is not there; [`Code::Conflict`].
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
            let seen = self.get_conversation_item(user, id).await?;
            if let Some(there) = self.message_there(user, &seen, message, attempts.is_repeated()).await? {
                return Ok(Creation::Now((there, seen.version())));
            }
            check_version(expected, &seen.version())?;
            let parent = match self.parent_of_new(user, &seen, &message.follows).await {
                Ok(parent) => parent,
                Err(refused) => {
                    // What it follows may have gone since the same request came before, or have another place.
                    if let Some(made) = self.find_made(user, once).await? {
                        return Ok(Creation::Before(made));
                    }
                    if let Some(there) = self.message_there(user, &seen, message, true).await? {
                        return Ok(Creation::Now((there, seen.version())));
                    }
                    if self.get_conversation_item(user, id).await?.revision == seen.revision {
                        return Err(refused);
                    }
                    continue;
                }
            };
            let stored = StoredMessage {
                number: seen.next_number,
                revision: seen.revision.clone(),
                parent,
                message: message.message(seen.next_number),
            };
            let mut writes = self.append_writes(user, &seen, &stored, false, now).await?;
            if let Some(once) = once {
                writes.push(self.remember(user, once, stored.message.id.as_str())?);
            }
            let mut change = Tally::default();
            change.count_message(&stored.message, 1);
            writes.extend(self.count(user, &change));
            if self.transact(writes).await?.is_committed() {
                let parent_id = match &message.follows {
                    Follows::Message(parent) => Some(parent.clone()),
                    Follows::Leaf => seen.leaf.is_none().then_some(None),
                };
                let version = Version::new(seen.version + 1, seen.revision.as_str());
                return Ok(Creation::Now((ShownMessage { message: stored.message, parent_id }, version)));
            }
            if let Some(made) = self.find_made(user, once).await? {
                return Ok(Creation::Before(made));
            }
        }
        Err(kept_changing())
    }

    /// The writes that append a message; `is_reply` says that it is being made.
    pub(in crate::store) async fn append_writes(
        &self,
        user: UserId,
        seen: &ConversationItem,
        stored: &StoredMessage,
        is_reply: bool,
        now: Millis,
    ) -> Result<Vec<Write>> {
        let seen = &self.on_branch_of(user, seen, stored.parent).await?;
        let up_to = self.count_up_to(user, seen, stored.parent).await?;
        let appended = seen
            .grown(stored.parent, up_to, 1)
            .set("preview", text(preview(&stored.message)))
            .set("updated_at", number(now.get()))
            .set("updated", text(key::place_in_list(now, &seen.id)))
            .add("version", 1)
            .when_equal("version", number(seen.version))
            .when_equal("kind", text("conversation"));
        let appended = if is_reply { appended.set("running", number(stored.number)) } else { appended };
        let mut writes = vec![
            Write::update(&self.studio, key::conversation(user, &seen.id), appended),
            stored.create(&self.studio, user, &seen.id)?,
        ];
        let (id, revision) = (&stored.message.id, &stored.revision);
        writes.extend(self.reference(user, &seen.id, revision, id, stored.number)?);
        Ok(writes)
    }

    /// The message that is there under the id of a new one, which is then no new one. Before the first try it is only
    /// looked for where its reference would not keep it from being stored twice.
    async fn message_there(
        &self,
        user: UserId,
        seen: &ConversationItem,
        message: &NewMessage,
        tried: bool,
    ) -> Result<Option<ShownMessage>> {
        let Some(id) = message.id.as_ref().filter(|id| tried || id.number().is_some()) else {
            return Ok(None);
        };
        let Some(there) = self.find_message(user, seen, id).await? else { return Ok(None) };
        if there.message.role != message.role || there.message.content != message.content {
            return Err(message_exists());
        }
        let parent_id = Some(self.id_of(user, seen, there.parent).await?);
        Ok(Some(ShownMessage { message: there.message, parent_id }))
    }

    /// The message with this id as it stands.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn get_message(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &MessageId,
    ) -> Result<(ShownMessage, Version)> {
        let (seen, there) = self.find_message_in_latest(user, id, message).await?;
        let there = there.ok_or_else(no_message)?;
        let parent_id = Some(self.id_of(user, &seen, there.parent).await?);
        Ok((ShownMessage { message: there.message, parent_id }, seen.version()))
    }

    /// The number of the message that a new one follows. With [`Self::count_up_to`] and [`ConversationItem::grown`] it is all
    /// that a new message needs, a turn too: one with a `parentId` puts its two messages behind
    /// [`Follows::Message`], and a reply that is made again goes, alone, behind the message that the old reply follows. So
    /// both become siblings of what was there, on a branch that is the current one from then on; nothing is lost.
    pub(in crate::store) async fn parent_of_new(
        &self,
        user: UserId,
        seen: &ConversationItem,
        follows: &Follows,
    ) -> Result<Option<u64>> {
        match follows {
            Follows::Leaf => Ok(seen.leaf),
            Follows::Message(None) => Ok(None),
            Follows::Message(Some(parent)) => match self.find_message(user, seen, parent).await? {
                Some(parent) => Ok(Some(parent.number)),
                None => Err(no_parent()),
            },
        }
    }

    /// The conversation as if the branch of the message with this number, up to that, were the current one. As a rule it is
    /// on the current branch, and this costs nothing.
    pub(in crate::store) async fn on_branch_of(
        &self,
        user: UserId,
        seen: &ConversationItem,
        last: Option<u64>,
    ) -> Result<ConversationItem> {
        let mut selected = seen.clone();
        let Some(last) = last.filter(|last| !seen.shows(*last)) else { return Ok(selected) };
        let partition = key::conversation_partition(user, &seen.id);
        let to = key::message(user, &seen.id, last).sk;
        let mut parents = BTreeMap::new();
        let stretch = KeyRange::new(&self.studio, partition, key::MESSAGE, &to);
        self.query_each(&stretch, |message| {
            let stored = stored_message(message)?.filter(|stored| seen.owns(stored));
            parents.extend(stored.map(|stored| (stored.number, stored.parent)));
            Ok(())
        })
        .await?;
        let (mut line, mut at) = (BTreeSet::new(), Some(last));
        // A message follows one with a lower number, so this comes to an end.
        while let Some(number) = at.filter(|number| line.insert(*number)) {
            at = parents.get(&number).copied().flatten();
        }
        selected.branch = Some(Branch::of(parents.keys().map(|number| (*number, line.contains(number)))));
        selected.leaf = Some(last);
        selected.message_count = line.len() as u64;
        Ok(selected)
    }

    /// How many messages lead to the one with this number, itself among them, which is on the current branch.
    pub(in crate::store) async fn count_up_to(
        &self,
        user: UserId,
        seen: &ConversationItem,
        last: Option<u64>,
    ) -> Result<u64> {
        let Some(last) = last else { return Ok(0) };
        if Some(last) == seen.leaf {
            return Ok(seen.message_count);
        }
        let partition = key::conversation_partition(user, &seen.id);
        let first = key::message(user, &seen.id, last + 1).sk;
        let beyond = KeyRange::new(&self.studio, partition, &first, key::AFTER_MESSAGES);
        let mut count = seen.message_count;
        let is_beyond = |stored: &StoredMessage| seen.owns(stored) && seen.shows(stored.number);
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
        seen: &ConversationItem,
        number: Option<u64>,
    ) -> Result<Option<MessageId>> {
        let Some(number) = number else { return Ok(None) };
        Ok(self.find_message_at(user, seen, number).await?.map(|stored| stored.message.id))
    }
}
