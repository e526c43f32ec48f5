//! Reading conversations: whole, or as much of one as an answer holds, from either end.

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

/// Messages that are asked for at once.
const AT_ONCE: usize = 25;
/// What a message takes beside its text, in an answer too.
const BYTES_OF_A_MESSAGE: usize = 60;
/// As much as a model is told of what was said before.
const MOST_HISTORY_BYTES: usize = 1_000_000;

/// The place of a message in a conversation. It means nothing once the conversation was rewritten.
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
        parse().ok_or_else(|| RuleBroken("must be a place in a conversation".to_owned()))
    }
}

impl fmt::Display for MessagePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.revision, self.number)
    }
}

/// Which messages are wanted.
#[derive(Clone, Debug)]
pub struct PartRequest {
    /// Whether the newest come first into the part; it is in the order of the conversation all the same.
    pub newest: bool,
    /// Those behind this one, seen from that end.
    pub after: Option<MessagePlace>,
    /// Those of all branches, not of the current one alone.
    pub all_branches: bool,
    /// At most so many.
    pub most: usize,
    /// At most so much text; one message at least.
    pub most_bytes: usize,
}

impl PartRequest {
    /// The newest messages of the current branch: as many as these bytes hold.
    #[must_use]
    pub fn whole(most_bytes: usize) -> Self {
        Self { newest: true, after: None, all_branches: false, most: usize::MAX, most_bytes }
    }
}

/// A message with its place.
#[derive(Clone, Debug)]
pub struct PlacedMessage {
    /// The message.
    pub message: Message,
    /// Where it stands.
    pub place: MessagePlace,
    /// The id of the message it follows, as far as it was read or is asked for with [`Store::find_parents`].
    pub parent_id: Option<MessageId>,
    parent: Option<u64>,
}

/// A conversation with a part of its messages.
#[derive(Clone, Debug)]
pub struct ConversationPart {
    /// All but the messages.
    pub summary: Summary,
    /// What it was when it was read.
    pub version: Version,
    /// How many messages its current branch has.
    pub message_count: u64,
    /// The id of the last message of the current branch, when it is asked for with [`Store::find_parents`].
    pub leaf_id: Option<MessageId>,
    /// In the order of the conversation.
    pub messages: Vec<PlacedMessage>,
    /// Whether there are more behind those.
    pub more: bool,
}

impl Store {
    /// What a conversation is now: one request.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn get_version(&self, user: UserId, id: &ConversationId) -> Result<Version> {
        Ok(self.get_conversation_item(user, id).await?.version())
    }

    /// A part of a conversation, read consistently, after a reply that nobody is making any more was ended.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Conflict`] when it was rewritten since `wanted.after` was given, or kept changing.
    pub async fn get_part(
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
            let Some((item, taken, pages)) = self.try_part(user, id, wanted).await? else { return Ok(None) };
            let whole = wanted.after.is_none() && wanted.newest && !wanted.all_branches;
            let mut coherent = !whole || taken.is_coherent(&item);
            if pages > 1 && coherent {
                let now = self.standing(user, id).await?.conversation();
                coherent = now.is_some_and(|now| now.version() == item.version());
            }
            // What is twice the same is no half of a change.
            if coherent || before.as_ref() == Some(&item.version()) {
                if taken.strange {
                    // Unless somebody is just writing them, they were left behind, and every reading pays for them.
                    self.run_pending_cleanups(user).await;
                }
                let part = taken.part(&item, wanted);
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
    ) -> Result<Option<(ConversationItem, Taken, usize)>> {
        let partition = key::conversation_partition(user, id);
        let whole = wanted.newest && wanted.after.is_none() && wanted.most == usize::MAX;
        let first = if whole { key::CONVERSATION } else { key::MESSAGE };
        let stretch = KeyRange::new(&self.studio, partition, first, key::AFTER_MESSAGES);
        let stretch = if wanted.newest { stretch.backwards() } else { stretch };
        let limit = wanted.most.checked_add(1);
        let after = wanted.after.as_ref().map(|after| key::message(user, id, after.number).sk);
        let (standing, page) = if whole {
            self.with_standing(user, id, self.query_page(&stretch, None, None).await?).await?
        } else {
            tokio::try_join!(self.standing(user, id), self.query_page(&stretch, after, limit))?
        };
        if matches!(standing, ConversationSlot::Shell(_)) {
            self.run_pending_cleanups(user).await;
        }
        let Some(item) = standing.conversation() else { return Ok(None) };
        if wanted.after.as_ref().is_some_and(|after| after.revision != item.revision.as_str()) {
            let detail = "The conversation was rewritten since this page was linked to; please read it anew";
            return Err(Error::new(Code::Conflict, detail));
        }
        let (mut taken, mut pages) = (Taken::default(), 1);
        taken.take(page.items, &item, wanted)?;
        let mut next = page.next;
        while let Some(after) = next.filter(|_| !taken.more) {
            let page = self.query_page(&stretch, Some(after), limit).await?;
            taken.take(page.items, &item, wanted)?;
            (next, pages) = (page.next, pages + 1);
        }
        Ok(Some((item, taken, pages)))
    }

    /// What stands in the conversation's place, which a page from its end has when it is short enough.
    async fn with_standing(
        &self,
        user: UserId,
        id: &ConversationId,
        mut page: Page,
    ) -> Result<(ConversationSlot, Page)> {
        let is_place = |item: &Item| sort_key(item) == key::CONVERSATION;
        let standing = match page.items.pop_if(|item| is_place(item)) {
            None if page.next.is_some() => self.standing(user, id).await?,
            item => ConversationSlot::of(item)?,
        };
        Ok((standing, page))
    }

    /// Tells every message of `part` the id of the message it follows, for those that the part does not have, and the part
    /// the id of the last one of the current branch.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn find_parents(&self, user: UserId, part: &mut ConversationPart) -> Result<()> {
        let item = self.get_conversation_item(user, &part.summary.id).await?;
        part.leaf_id = self.id_of(user, &item, item.leaf).await?;
        let strangers = part.messages.iter().filter(|placed| placed.parent_id.is_none());
        let parents: HashSet<u64> = strangers.filter_map(|placed| placed.parent).collect();
        let ids = futures_util::stream::iter(parents)
            .map(async |number| self.id_of(user, &item, Some(number)).await.map(|id| (number, id)));
        let ids: Result<HashMap<u64, Option<MessageId>>> = ids.buffer_unordered(AT_ONCE).try_collect().await;
        let ids = ids?;
        for placed in part.messages.iter_mut().filter(|placed| placed.parent_id.is_none()) {
            placed.parent_id = placed.parent.and_then(|parent| ids.get(&parent).cloned().flatten());
        }
        Ok(())
    }

    /// What was said before a reply, oldest first, and the conversation it was said in: the messages that lead to it,
    /// whatever branch is the current one; of a very long conversation the last megabyte. None when it is gone.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn find_history(&self, place: &ReplyPlace) -> Result<Option<(Summary, Vec<Message>)>> {
        let Some((id, number)) = &place.within else { return Ok(None) };
        let partition = key::conversation_partition(place.user, id);
        let last = key::message(place.user, id, *number).sk;
        let stretch = KeyRange::new(&self.studio, partition, key::CONVERSATION, &last).backwards();
        let page = self.query_page(&stretch, None, None).await?;
        let (standing, mut page) = self.with_standing(place.user, id, page).await?;
        let Some(item) = standing.conversation() else { return Ok(None) };
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
            page = self.query_page(&stretch, Some(next), None).await?;
        }
        // The first of them is the reply itself.
        history.reverse();
        Ok(history.pop().map(|_| (item.summary(), history)))
    }
}

/// Messages as they come, until there are enough.
#[derive(Default)]
struct Taken {
    messages: Vec<StoredMessage>,
    bytes: usize,
    more: bool,
    /// Whether there were messages that are no part of the conversation.
    strange: bool,
}

impl Taken {
    fn take(&mut self, items: Vec<Item>, item: &ConversationItem, wanted: &PartRequest) -> Result<()> {
        for message in items {
            let Some(stored) = stored_message(message)? else { continue };
            if !item.owns(&stored) {
                self.strange = true;
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

    /// Whether these are the newest messages of the conversation as `item` tells of it. A Query may see a half of a
    /// transaction.
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
