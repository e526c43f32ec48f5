//! Reading conversations: the whole, or a part that fits an answer, from either end; and the history of a reply.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::create::kept_changing;
use super::item::ConversationItem;
use super::message_item::{StoredMessage, stored_message};
use super::slot::ConversationSlot;
use crate::domain::{
    ConversationId, Message, MessageId, Millis, ReplyPlace, RuleBroken, Summary, UserId, Version,
};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::dynamo::{Item, KeyRange, Page, sort_key};
use crate::store::{Store, key};

/// How many messages are requested at the same time.
const AT_ONCE: usize = 25;
/// The bytes of a message besides its text, as parts and histories are measured.
const BYTES_OF_A_MESSAGE: usize = 60;
/// The most bytes of history that a model is sent.
const MOST_HISTORY_BYTES: usize = 1_000_000;

/// The position of a message in a conversation. It becomes invalid when the conversation is rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessagePlace {
    revision: String,
    number: u64,
}

impl FromStr for MessagePlace {
    type Err = RuleBroken;

    fn from_str(text: &str) -> Result<Self, RuleBroken> {
        let parse = || {
            let (revision, number) = text.split_once('.')?;
            Some(Self { revision: revision.to_owned(), number: number.parse().ok()? })
        };
        parse().ok_or_else(|| RuleBroken("must be a position in a conversation".to_owned()))
    }
}

impl fmt::Display for MessagePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.revision, self.number)
    }
}

/// Which messages of a conversation to read.
#[derive(Clone, Debug)]
pub struct PartRequest {
    /// Whether to read from the newest message backwards. The part is in the order of the conversation in any case.
    pub newest: bool,
    /// Only messages after this one, in the direction of reading.
    pub after: Option<MessagePlace>,
    /// Whether to read the messages of all branches, not only those of the current one.
    pub all_branches: bool,
    /// The most messages to read.
    pub most: usize,
    /// The most bytes to read. At least one message is always read.
    pub most_bytes: usize,
}

impl PartRequest {
    /// Requests the newest messages of the current branch, as many as fit `most_bytes`.
    #[must_use]
    pub fn whole(most_bytes: usize) -> Self {
        Self { newest: true, after: None, all_branches: false, most: usize::MAX, most_bytes }
    }
}

/// A message with its position.
#[derive(Clone, Debug)]
pub struct PlacedMessage {
    /// The message.
    pub message: Message,
    /// Its position.
    pub place: MessagePlace,
    /// The id of the message that it follows, if that message is in the part, or after [`Store::fill_parent_ids`].
    pub parent_id: Option<MessageId>,
    parent: Option<u64>,
}

/// A conversation with some of its messages.
#[derive(Clone, Debug)]
pub struct ConversationPart {
    /// Everything but the messages.
    pub summary: Summary,
    /// The version that was read.
    pub version: Version,
    /// How many messages the current branch has.
    pub message_count: u64,
    /// The id of the last message of the current branch; set by [`Store::fill_parent_ids`].
    pub leaf_id: Option<MessageId>,
    /// The messages, in the order of the conversation.
    pub messages: Vec<PlacedMessage>,
    /// Whether there are more messages in the direction of reading.
    pub more: bool,
}

impl Store {
    /// Gets the current version of a conversation with one request.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn get_conversation_version(&self, user: UserId, id: &ConversationId) -> Result<Version> {
        Ok(self.get_conversation_item(user, id).await?.version())
    }

    /// Gets a part of a conversation, read consistently. If the conversation has a running reply whose worker has died,
    /// that reply is ended first.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Conflict`] when the conversation was rewritten since `wanted.after` was read, or
    /// changed on all attempts.
    pub async fn get_conversation_part(
        &self,
        user: UserId,
        id: &ConversationId,
        wanted: &PartRequest,
        now: Millis,
    ) -> Result<ConversationPart> {
        let (item, part) = self.read_part(user, id, wanted).await?.ok_or_else(Error::no_conversation)?;
        match item.running {
            Some(number) if self.end_abandoned_reply(user, id, number, now).await? => {
                let read = self.read_part(user, id, wanted).await?;
                read.map(|(_, part)| part).ok_or_else(Error::no_conversation)
            }
            _ => Ok(part),
        }
    }

    async fn read_part(
        &self,
        user: UserId,
        id: &ConversationId,
        wanted: &PartRequest,
    ) -> Result<Option<(ConversationItem, ConversationPart)>> {
        let mut before = None;
        let mut attempts = retry::WHOLE_CONVERSATION.attempts();
        while attempts.next().await {
            let Some((item, builder, pages)) = self.try_part(user, id, wanted).await? else {
                return Ok(None);
            };
            let whole = wanted.after.is_none() && wanted.newest && !wanted.all_branches;
            let mut coherent = !whole || builder.is_coherent(&item);
            if pages > 1 && coherent {
                let current = self.find_slot(user, id).await?.conversation();
                coherent = current.is_some_and(|current| current.version() == item.version());
            }
            // A Query may see half of a transaction. If two reads return the same version, no transaction was half
            // visible.
            if coherent || before.as_ref() == Some(&item.version()) {
                if builder.has_leftovers {
                    // The leftovers of interrupted operations make every read more expensive, so they are deleted.
                    self.run_pending_cleanups(user).await;
                }
                let part = builder.part(&item, wanted);
                return Ok(Some((item, part)));
            }
            before = Some(item.version());
        }
        Err(kept_changing())
    }

    async fn try_part(
        &self,
        user: UserId,
        id: &ConversationId,
        wanted: &PartRequest,
    ) -> Result<Option<(ConversationItem, PartBuilder, usize)>> {
        let partition = key::conversation_partition(user, id);
        let whole = wanted.newest && wanted.after.is_none() && wanted.most == usize::MAX;
        let first = if whole { key::CONVERSATION } else { key::MESSAGE };
        let range = KeyRange::new(&self.studio, partition, first, key::AFTER_MESSAGES);
        let range = if wanted.newest { range.backwards() } else { range };
        let limit = wanted.most.checked_add(1);
        let after = wanted.after.as_ref().map(|after| key::message(user, id, after.number).sk);
        let (slot, page) = if whole {
            self.with_slot(user, id, self.query_page(&range, None, None).await?).await?
        } else {
            tokio::try_join!(self.find_slot(user, id), self.query_page(&range, after, limit))?
        };
        if matches!(slot, ConversationSlot::Shell(_)) {
            self.run_pending_cleanups(user).await;
        }
        let Some(item) = slot.conversation() else { return Ok(None) };
        if wanted.after.as_ref().is_some_and(|after| after.revision != item.revision.as_str()) {
            let detail = "The conversation changed after you got this link. Start again at the first page.";
            return Err(Error::new(Code::Conflict, detail));
        }
        let (mut builder, mut pages) = (PartBuilder::default(), 1);
        builder.take(page.items, &item, wanted)?;
        let mut next = page.next;
        while let Some(after) = next.filter(|_| !builder.more) {
            let page = self.query_page(&range, Some(after), limit).await?;
            builder.take(page.items, &item, wanted)?;
            (next, pages) = (page.next, pages + 1);
        }
        Ok(Some((item, builder, pages)))
    }

    /// Takes the conversation's own item from a page that was read backwards, or reads it if the page does not reach
    /// it.
    async fn with_slot(
        &self,
        user: UserId,
        id: &ConversationId,
        mut page: Page,
    ) -> Result<(ConversationSlot, Page)> {
        let is_place = |item: &Item| sort_key(item) == key::CONVERSATION;
        let slot = match page.items.pop_if(|item| is_place(item)) {
            None if page.next.is_some() => self.find_slot(user, id).await?,
            item => ConversationSlot::of(item)?,
        };
        Ok((slot, page))
    }

    /// Sets the parent ids of the messages in `part` whose parents are not in the part, and the id of the last message
    /// of the current branch.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn fill_parent_ids(&self, user: UserId, part: &mut ConversationPart) -> Result<()> {
        let item = self.get_conversation_item(user, &part.summary.id).await?;
        part.leaf_id = self.id_of(user, &item, item.leaf).await?;
        let without_parent_id = part.messages.iter().filter(|placed| placed.parent_id.is_none());
        let parents: HashSet<u64> = without_parent_id.filter_map(|placed| placed.parent).collect();
        let ids = futures_util::stream::iter(parents)
            .map(async |number| self.id_of(user, &item, Some(number)).await.map(|id| (number, id)));
        let ids: Result<HashMap<u64, Option<MessageId>>> = ids.buffer_unordered(AT_ONCE).try_collect().await;
        let ids = ids?;
        for placed in part.messages.iter_mut().filter(|placed| placed.parent_id.is_none()) {
            placed.parent_id = placed.parent.and_then(|parent| ids.get(&parent).cloned().flatten());
        }
        Ok(())
    }

    /// Finds the messages that lead to a reply, oldest first, and the summary of their conversation. The current branch
    /// does not matter. Of a very long conversation only the last megabyte is read. `None` when the conversation or the
    /// reply is gone.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn find_history(&self, place: &ReplyPlace) -> Result<Option<(Summary, Vec<Message>)>> {
        let Some((id, number)) = &place.within else { return Ok(None) };
        let partition = key::conversation_partition(place.user, id);
        let last = key::message(place.user, id, *number).sk;
        let range = KeyRange::new(&self.studio, partition, key::CONVERSATION, &last).backwards();
        let page = self.query_page(&range, None, None).await?;
        let (slot, mut page) = self.with_slot(place.user, id, page).await?;
        let Some(item) = slot.conversation() else { return Ok(None) };
        let (mut history, mut wanted, mut bytes) = (Vec::new(), Some(*number), 0);
        loop {
            for message in page.items {
                let Some(stored) = stored_message(message)?.filter(|stored| item.owns(stored)) else {
                    continue;
                };
                if Some(stored.number) == wanted {
                    wanted = stored.parent;
                    bytes += stored.message.content.as_str().len() + BYTES_OF_A_MESSAGE;
                    history.push(stored.message);
                }
            }
            let Some(next) = page.next.filter(|_| wanted.is_some() && bytes < MOST_HISTORY_BYTES) else {
                break;
            };
            page = self.query_page(&range, Some(next), None).await?;
        }
        // The newest message is the reply itself.
        history.reverse();
        Ok(history.pop().map(|_| (item.summary(), history)))
    }
}

/// Collects messages until a part is complete.
#[derive(Default)]
struct PartBuilder {
    messages: Vec<StoredMessage>,
    bytes: usize,
    more: bool,
    /// Whether the pages contained messages of other revisions, which interrupted operations left behind.
    has_leftovers: bool,
}

impl PartBuilder {
    fn take(&mut self, items: Vec<Item>, item: &ConversationItem, wanted: &PartRequest) -> Result<()> {
        for message in items {
            let Some(stored) = stored_message(message)? else { continue };
            if !item.owns(&stored) {
                self.has_leftovers = true;
                continue;
            }
            if self.more || !(wanted.all_branches || item.shows(stored.number)) {
                continue;
            }
            let bytes = stored.message.content.as_str().len() + BYTES_OF_A_MESSAGE;
            let fits = self.messages.len() < wanted.most && self.bytes + bytes <= wanted.most_bytes;
            if fits || self.messages.is_empty() {
                self.bytes += bytes;
                self.messages.push(stored);
            } else {
                self.more = true;
            }
        }
        Ok(())
    }

    /// Whether the messages are the newest ones of the conversation as `item` describes it. They are not if the Query
    /// saw only half of a transaction.
    fn is_coherent(&self, item: &ConversationItem) -> bool {
        let has_leaf = self.messages.first().map(|stored| stored.number) == item.leaf;
        has_leaf && (self.more || self.messages.len() as u64 == item.message_count)
    }

    fn part(mut self, item: &ConversationItem, wanted: &PartRequest) -> ConversationPart {
        if wanted.newest {
            self.messages.reverse();
        }
        let place = |number| MessagePlace { revision: item.revision.as_str().to_owned(), number };
        let ids: HashMap<u64, MessageId> =
            self.messages.iter().map(|stored| (stored.number, stored.message.id.clone())).collect();
        let messages = self.messages.into_iter().map(|stored| PlacedMessage {
            place: place(stored.number),
            parent_id: stored.parent.and_then(|parent| ids.get(&parent).cloned()),
            parent: stored.parent,
            message: stored.message,
        });
        ConversationPart {
            summary: item.summary(),
            version: item.version(),
            message_count: item.message_count,
            leaf_id: None,
            messages: messages.collect(),
            more: self.more,
        }
    }
}
