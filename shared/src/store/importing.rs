//! Conversations that come from elsewhere, or back: all of one, or what is missing of it, branches included.

use std::collections::{HashMap, HashSet};

use super::bulk::Draft;
use super::conversation_items::{Standing, StoredConversation};
use super::conversations::{fits_one_transaction, kept_changing};
use super::expression::{Expression, Write, text};
use super::unfinished::soon;
use super::{Store, key};
use crate::domain::statistics::Tally;
use crate::domain::{Conversation, ConversationId, Message, MessageId, Summary, UserId};
use crate::error::{Error, Result};

const MOST_TRIES: usize = 5;

/// A conversation that comes from elsewhere.
#[derive(Clone, Debug)]
pub struct Imported {
    /// All but the messages.
    pub summary: Summary,
    /// Each with the id of the one it follows.
    pub messages: Vec<(Message, Option<MessageId>)>,
    /// The last message of the current branch. Without it, or when it is not there, the last of all.
    pub current: Option<MessageId>,
}

/// What an import did to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// It was not there.
    Created,
    /// Some of its messages were not there.
    Completed,
    /// It was there with all its messages; nothing changed, whatever they say.
    Unchanged,
}

/// A tree of messages: the current branch in a line, and the others with the place of the message they follow.
struct Tree {
    line: Vec<Message>,
    others: Vec<(Message, Option<usize>)>,
}

impl Store {
    /// Stores what is missing of a conversation: all of it, or some of its messages, or nothing, so that the same import
    /// again changes nothing. What was deleted comes back.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when a message follows one that is nowhere, or two have the same id;
    /// [`crate::error::Code::Conflict`].
    pub async fn import_conversation(&self, user: UserId, imported: &Imported) -> Result<ImportOutcome> {
        let id = &imported.summary.id;
        for _ in 0..MOST_TRIES {
            match self.standing(user, id).await? {
                Standing::Conversation(_) => {
                    let Some(stored) = self.find_stored_conversation(user, id).await? else { continue };
                    if let Some(outcome) = self.complete(user, stored, imported).await? {
                        return Ok(outcome);
                    }
                }
                Standing::Tombstone => self.forget_deletion(user, id).await?,
                Standing::Absent | Standing::Shell(_) => {
                    let tree = Tree::new(&imported.messages, imported.current.as_ref())?;
                    self.create_tree(user, &imported.summary, tree).await?;
                    return Ok(ImportOutcome::Created);
                }
            }
        }
        Err(kept_changing())
    }

    async fn create_tree(&self, user: UserId, summary: &Summary, tree: Tree) -> Result<()> {
        let mut change = Tally::default();
        change.count_conversation(summary, 1);
        change.count_messages(tree.line.iter().chain(tree.others.iter().map(|(message, _)| message)), 1);
        if tree.others.is_empty() && fits_one_transaction(&tree.line, &change) {
            let conversation = Conversation { summary: summary.clone(), messages: tree.line };
            self.create_conversation(user, &conversation, None).await?;
            return Ok(());
        }
        let draft = Draft::new(&tree.line, tree.others);
        self.create_draft(user, summary, draft, &change, None).await?;
        Ok(())
    }

    /// Adds the messages that `stored` has not. None when the conversation changed meanwhile.
    async fn complete(
        &self,
        user: UserId,
        stored: StoredConversation,
        imported: &Imported,
    ) -> Result<Option<ImportOutcome>> {
        let known: HashSet<&MessageId> = stored.messages.iter().map(|stored| &stored.message.id).collect();
        let missing = imported.messages.iter().filter(|(message, _)| !known.contains(&message.id));
        let missing: Vec<_> = missing.cloned().collect();
        if missing.is_empty() {
            return Ok(Some(ImportOutcome::Unchanged));
        }
        if stored.item.running.is_some() {
            return Err(super::conversations::reply_running());
        }
        let mut change = Tally::default();
        change.count_messages(missing.iter().map(|(message, _)| message), 1);
        let ids: HashMap<u64, &MessageId> =
            stored.messages.iter().map(|it| (it.number, &it.message.id)).collect();
        let parent_of = |number: Option<u64>| number.and_then(|number| ids.get(&number).copied().cloned());
        let there = stored.messages.iter().map(|stored| (stored.message.clone(), parent_of(stored.parent)));
        let tree = Tree::new(&there.chain(missing).collect::<Vec<_>>(), imported.current.as_ref())?;
        let draft = Draft::new(&tree.line, tree.others);
        let summary = stored.item.summary();
        let version = self.replace_revision(user, &stored, &summary, draft, &change).await?;
        Ok(version.map(|_| ImportOutcome::Completed))
    }

    /// Finishes a deletion, and takes its tombstone away.
    async fn forget_deletion(&self, user: UserId, id: &ConversationId) -> Result<()> {
        self.sweep(user, id, soon()).await?;
        let swept = Expression::default().when_equal("kind", text("tombstone")).when_exists("expires_at");
        self.transact(vec![Write::delete(&self.studio, key::conversation(user, id), swept)]).await?;
        Ok(())
    }
}

impl Tree {
    fn new(messages: &[(Message, Option<MessageId>)], current: Option<&MessageId>) -> Result<Self> {
        let places: HashMap<MessageId, usize> =
            messages.iter().enumerate().map(|(place, (message, _))| (message.id.clone(), place)).collect();
        if places.len() < messages.len() {
            return Err(Error::invalid_field("messages", "must not have an id twice"));
        }
        let parents: Option<Vec<Option<usize>>> = messages
            .iter()
            .map(|(_, parent)| match parent {
                Some(parent) => places.get(parent).copied().map(Some),
                None => Some(None),
            })
            .collect();
        let parents =
            parents.ok_or_else(|| Error::invalid_field("messages", "must follow messages that are there"))?;
        let last = messages.len().checked_sub(1);
        let mut at = current.and_then(|current| places.get(current)).copied().or(last);
        let mut line = Vec::new();
        while let Some(place) = at {
            if line.len() > messages.len() {
                return Err(Error::invalid_field("messages", "must not follow themselves"));
            }
            line.push(place);
            at = parents.get(place).copied().flatten();
        }
        line.reverse();
        Self::in_order(messages, &parents, &line)
    }

    /// The messages with new places, each behind the one it follows.
    fn in_order(
        messages: &[(Message, Option<MessageId>)],
        parents: &[Option<usize>],
        line: &[usize],
    ) -> Result<Self> {
        let mut placed: HashMap<usize, usize> =
            line.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let mut left: Vec<usize> = (0..messages.len()).filter(|place| !placed.contains_key(place)).collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let before = left.len();
            left.retain(|place| {
                let parent = parents.get(*place).copied().flatten();
                if parent.is_some_and(|parent| !placed.contains_key(&parent)) {
                    return true;
                }
                order.push((*place, parent.and_then(|parent| placed.get(&parent)).copied()));
                placed.insert(*place, line.len() + order.len() - 1);
                false
            });
            if left.len() == before {
                return Err(Error::invalid_field("messages", "must not follow themselves"));
            }
        }
        let message = |place: usize| messages.get(place).map(|(message, _)| message.clone());
        Ok(Self {
            line: line.iter().filter_map(|place| message(*place)).collect(),
            others: order.into_iter().filter_map(|(place, parent)| Some((message(place)?, parent))).collect(),
        })
    }
}
