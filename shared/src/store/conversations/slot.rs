//! What can be in the place of a conversation: the conversation, a shell while a large one is being created, a
//! tombstone, or nothing.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::item::{ConversationItem, Revision};
use super::message_item::StoredMessage;
use crate::error::Result;
use crate::store::dynamo::{Item, from_item, sort_key};
use crate::store::key;

/// What is in the place of a conversation.
#[derive(Clone, Debug)]
pub(in crate::store) enum ConversationSlot {
    /// Nothing.
    Absent,
    /// A large conversation is being created. Contains until when the process that creates it may be running, in
    /// seconds since the epoch. Readers see no conversation.
    Shell(Option<u64>),
    /// The conversation.
    Conversation(Box<ConversationItem>),
    /// The conversation was deleted.
    Tombstone(Tombstone),
}

/// The item that replaces a deleted conversation. It says which items of the partition belonged to that conversation,
/// so that cleanup does not delete items of a conversation that is imported under the same id later.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::store) struct Tombstone {
    /// A number greater than those of all messages and replies of the conversation.
    pub(in crate::store) next_number: u64,
    pub(in crate::store) revision: Option<Revision>,
    /// The message number of the reply that was being made, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) running: Option<u64>,
    /// The TTL, set when all items of the conversation have been deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) expires_at: Option<u64>,
}

impl Tombstone {
    pub(in crate::store) fn of(item: &ConversationItem) -> Self {
        Self {
            next_number: item.next_number,
            revision: Some(item.revision.clone()),
            running: item.running,
            expires_at: None,
        }
    }

    /// Whether an item of the partition belonged to the deleted conversation.
    pub(in crate::store) fn owns(&self, item: &Item) -> bool {
        let key = sort_key(item);
        match (key::number_of(key), key::revision_of_reference(key)) {
            (Some(number), _) => number < self.next_number,
            (None, Some(revision)) => self.revision.as_ref().is_some_and(|own| own.as_str() == revision),
            (None, None) => false,
        }
    }
}

impl ConversationSlot {
    pub(in crate::store) fn of(item: Option<Item>) -> Result<Self> {
        let Some(item) = item else { return Ok(Self::Absent) };
        let kind = item.get("kind").and_then(|kind| kind.as_s().ok()).map(String::as_str);
        Ok(match kind {
            Some("conversation") => Self::Conversation(Box::new(from_item(item)?)),
            Some("shell") => Self::Shell(
                item.get("writing_until").and_then(|until| until.as_n().ok()).and_then(|n| n.parse().ok()),
            ),
            _ => Self::Tombstone(from_item(item)?),
        })
    }

    pub(in crate::store) fn conversation(self) -> Option<ConversationItem> {
        match self {
            Self::Conversation(item) => Some(*item),
            _ => None,
        }
    }
}

/// A conversation's own item with all its messages, including those of other branches.
#[derive(Clone, Debug)]
pub(in crate::store) struct StoredConversation {
    pub(in crate::store) item: ConversationItem,
    /// All messages in the order of their numbers.
    pub(in crate::store) messages: Vec<StoredMessage>,
}

impl StoredConversation {
    /// The messages of the current branch, oldest first.
    pub(in crate::store) fn on_branch(&self) -> impl Iterator<Item = &StoredMessage> {
        self.messages.iter().filter(|stored| self.item.shows(stored.number))
    }

    /// The reply that is being made, if there is one.
    pub(in crate::store) fn running_reply(&self) -> Option<&StoredMessage> {
        self.messages.iter().find(|stored| self.item.running == Some(stored.number))
    }

    /// The messages that lead to `leaf`, from the beginning to `leaf` itself.
    pub(in crate::store) fn line_to<'a>(&'a self, leaf: &'a StoredMessage) -> Vec<&'a StoredMessage> {
        let by_number: HashMap<u64, &StoredMessage> =
            self.messages.iter().map(|stored| (stored.number, stored)).collect();
        let mut line = vec![leaf];
        let parent_of = |message: Option<&&'a StoredMessage>| message.and_then(|message| message.parent);
        while let Some(parent) = parent_of(line.last()).and_then(|number| by_number.get(&number)) {
            line.push(parent);
        }
        line.reverse();
        line
    }
}
