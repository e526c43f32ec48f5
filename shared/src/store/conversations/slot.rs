//! What can be in the place of a conversation: the conversation, a shell while a large one is created, or a tombstone.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::item::{ConversationItem, Revision};
use super::message_item::StoredMessage;
use crate::error::Result;
use crate::store::dynamo::{Item, from_item, sort_key};
use crate::store::key;

/// What stands in a conversation's place.
#[derive(Clone, Debug)]
pub(in crate::store) enum ConversationSlot {
    /// Nothing does.
    Absent,
    /// A large conversation is being created; until when whoever does it is believed to live, in seconds.
    Shell(Option<u64>),
    /// It is there.
    Conversation(Box<ConversationItem>),
    /// It was deleted.
    Tombstone(Tombstone),
}

/// What a tombstone says of the conversation that was in its place, so that what is left of it is told from what may
/// come into its place again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::store) struct Tombstone {
    /// Its messages, and its replies, have lower numbers.
    pub(in crate::store) next_number: u64,
    pub(in crate::store) revision: Option<Revision>,
    /// The number of the reply that was being made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) running: Option<u64>,
    /// Set once nothing is left of it.
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

    /// Whether something that stands behind the tombstone is left of that conversation.
    pub(in crate::store) fn owns(&self, item: &Item) -> bool {
        let sort_key = sort_key(item);
        match (key::number_of(sort_key), key::revision_of_reference(sort_key)) {
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

/// A conversation with all its messages, those of other branches too, and what writes need to know of it.
#[derive(Clone, Debug)]
pub(in crate::store) struct StoredConversation {
    pub(in crate::store) item: ConversationItem,
    /// By number.
    pub(in crate::store) messages: Vec<StoredMessage>,
}

impl StoredConversation {
    /// The messages of the current branch, oldest first.
    pub(in crate::store) fn on_branch(&self) -> impl Iterator<Item = &StoredMessage> {
        self.messages.iter().filter(|stored| self.item.shows(stored.number))
    }

    /// The messages from the beginning to `leaf`, `leaf` included.
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
