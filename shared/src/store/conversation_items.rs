//! A conversation and its messages as they stand in the table, apart from their keys, and how they become domain values.

use serde::{Deserialize, Serialize};

use super::expression::{Expression, Write, number, text};
use super::items::item_at;
use super::key;
use super::packing::Packed;
use super::query::Item;
use super::statistics::sort_key;
use super::transaction::{from_item, to_item};
use super::version::Version;
use crate::clock;
use crate::domain::conversation::preview;
use crate::domain::{
    Branch, ConversationId, Filing, Folder, Message, MessageId, Millis, ModelName, ReplyStatus, Role,
    Summary, SystemPrompt, Tags, Title, TokenCount, UserId,
};
use crate::error::Result;

/// A guess, for messages that no model has read yet.
const TOKENS_OF_A_MESSAGE: u64 = 200;

/// Which of the messages under a conversation's key are its own. It is random, so that nothing that was left behind
/// by somebody else can be taken for a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Revision(String);

impl Revision {
    pub(super) fn random() -> Self {
        Self(format!("{:08x}", clock::new_ulid().random() as u32))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A conversation as stored. `owner` and `updated` place it in the index; an item without them is in no list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ConversationItem {
    pub(super) id: ConversationId,
    pub(super) owner: String,
    pub(super) updated: String,
    pub(super) title: Title,
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
    pub(super) model: ModelName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system_prompt: Option<SystemPrompt>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) pinned: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) archived: bool,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub(super) tags: Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) folder: Option<Folder>,
    /// The number of the next message.
    pub(super) next_number: u64,
    /// The number of the last message of the current branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) leaf: Option<u64>,
    /// The current branch; none while there is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) branch: Option<Branch>,
    /// How many messages the current branch has.
    pub(super) message_count: u64,
    /// How the last message begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) preview: Option<String>,
    /// Messages of other revisions are not part of the conversation.
    pub(super) revision: Revision,
    /// Goes up with every change.
    pub(super) version: u64,
    /// How many tokens the last reply read and wrote: about what the next one reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) past_tokens: Option<u64>,
    /// The number of the reply that is being made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) running: Option<u64>,
    /// Whether somebody has replaced it who cannot have seen its oldest messages, and may not know of them still.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) shown_in_part: bool,
    /// While somebody writes another revision: until when he is believed to live, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) writing_until: Option<u64>,
}

impl ConversationItem {
    /// Without messages.
    pub(super) fn new(user: UserId, summary: &Summary) -> Self {
        let Filing { pinned, archived, tags, folder } = summary.filing.clone();
        Self {
            id: summary.id.clone(),
            owner: key::user_partition(user),
            updated: key::place_in_list(summary.updated_at, &summary.id),
            title: summary.title.clone(),
            created_at: summary.created_at,
            updated_at: summary.updated_at,
            model: summary.model.clone(),
            system_prompt: summary.system_prompt.clone(),
            pinned,
            archived,
            tags,
            folder,
            next_number: 0,
            leaf: None,
            branch: None,
            message_count: 0,
            preview: None,
            revision: Revision::random(),
            version: 1,
            past_tokens: None,
            running: None,
            shown_in_part: false,
            writing_until: None,
        }
    }

    /// The same with these messages in a line, numbered from 0.
    pub(super) fn with_messages(mut self, messages: &[Message]) -> Self {
        self.next_number = messages.len() as u64;
        self.message_count = self.next_number;
        self.leaf = self.next_number.checked_sub(1);
        self.preview = messages.last().map(preview);
        self
    }

    /// About how many tokens the next question has before what the user says now.
    pub(super) fn past(&self) -> u64 {
        self.past_tokens.unwrap_or(self.message_count * TOKENS_OF_A_MESSAGE)
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            id: self.id.clone(),
            title: self.title.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            model: self.model.clone(),
            system_prompt: self.system_prompt.clone(),
            filing: Filing {
                pinned: self.pinned,
                archived: self.archived,
                tags: self.tags.clone(),
                folder: self.folder.clone(),
            },
        }
    }

    /// What it is now.
    pub(super) fn seen(&self) -> Version {
        Version::new(self.version, &self.revision)
    }

    /// Whether a message is a part of the conversation, on whatever branch.
    pub(super) fn owns(&self, message: &StoredMessage) -> bool {
        message.revision == self.revision && message.number < self.next_number
    }

    /// Whether the current branch has the message with this number.
    pub(super) fn shows(&self, number: u64) -> bool {
        self.branch.as_ref().is_none_or(|branch| branch.has(number))
    }

    /// The current branch when `count` messages, numbered from `first`, follow the message `parent`; none while there
    /// is only one branch.
    pub(super) fn branch_with(&self, parent: Option<u64>, first: u64, count: u64) -> Option<Branch> {
        let grows = parent == self.leaf;
        if grows && self.branch.is_none() {
            return None;
        }
        let trunk = match (&self.branch, parent) {
            (_, None) => Branch::default(),
            (None, Some(parent)) => Branch::trunk(parent),
            (Some(branch), Some(parent)) => branch.clone().up_to(parent),
        };
        Some(trunk.followed_by(first, count))
    }
}

impl ConversationItem {
    /// What the conversation's own item says when `count` messages more stand in a line behind `parent`, which is the
    /// last of `up_to` messages. Their numbers must be free still: who writes another revision reserves some without
    /// making another version.
    pub(super) fn grown(&self, parent: Option<u64>, up_to: u64, count: u64) -> Expression {
        let first = self.next_number;
        let branch = self.branch_with(parent, first, count);
        Expression::default()
            .set("next_number", number(first + count))
            .set("leaf", number(first + count.saturating_sub(1)))
            .set("message_count", number(up_to + count))
            .set_or_remove("branch", branch.map(|branch| text(branch.to_string())))
            .when_equal("next_number", number(first))
    }
}

/// A message as stored. Its number is in its key. Attribute names are short, since each item carries them, and it
/// has no `kind`, which its sort key tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MessageItem {
    id: MessageId,
    role: Role,
    pub(super) text: Packed,
    at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<TokenCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ReplyStatus>,
    rev: Revision,
    /// The number of the message it follows, which is lower than its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
}

/// A message with its place in the table.
#[derive(Clone, Debug)]
pub(super) struct StoredMessage {
    pub(super) number: u64,
    pub(super) revision: Revision,
    /// The number of the message it follows.
    pub(super) parent: Option<u64>,
    pub(super) message: Message,
}

impl StoredMessage {
    /// The write that stores it, whatever is in its place.
    pub(super) fn put(&self, table: &str, user: UserId, id: &ConversationId) -> Result<Write> {
        Ok(Write::put(table, self.item(user, id)?))
    }

    /// The write that stores it where nothing must be.
    pub(super) fn create(&self, table: &str, user: UserId, id: &ConversationId) -> Result<Write> {
        Ok(Write::create(table, self.item(user, id)?))
    }

    pub(super) fn item(&self, user: UserId, id: &ConversationId) -> Result<Item> {
        let message = self.message.clone();
        let mut item = to_item(&MessageItem {
            id: message.id,
            role: message.role,
            text: Packed(message.content),
            at: message.timestamp,
            model: message.model,
            tokens: message.tokens,
            status: message.status,
            rev: self.revision.clone(),
            after: self.parent,
        })?;
        item.extend(key::message(user, id, self.number).attributes());
        Ok(item)
    }
}

/// The message of an item, when it is one.
pub(super) fn stored_message(item: Item) -> Result<Option<StoredMessage>> {
    let Some(number) = key::message_number(sort_key(&item)) else { return Ok(None) };
    let item: MessageItem = from_item(item)?;
    let message = Message {
        id: item.id,
        role: item.role,
        content: item.text.0,
        timestamp: item.at,
        model: item.model,
        tokens: item.tokens,
        status: item.status,
    };
    Ok(Some(StoredMessage { number, revision: item.rev, parent: item.after, message }))
}

/// What stands in a conversation's place.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// Nothing does.
    Absent,
    /// A large conversation is being created; until when whoever does it is believed to live, in seconds.
    Shell(Option<u64>),
    /// It is there.
    Conversation(Box<ConversationItem>),
    /// It was deleted.
    Tombstone(Buried),
}

/// What a tombstone says of the conversation that was in its place, so that what is left of it is told from what may
/// come into its place again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Buried {
    /// Its messages, and its replies, have lower numbers.
    pub(super) next_number: u64,
    pub(super) revision: Option<Revision>,
    /// The number of the reply that was being made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) running: Option<u64>,
    /// Set once nothing is left of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<u64>,
}

impl Buried {
    pub(super) fn of(item: &ConversationItem) -> Self {
        Self {
            next_number: item.next_number,
            revision: Some(item.revision.clone()),
            running: item.running,
            expires_at: None,
        }
    }

    /// Whether something that stands behind the tombstone is left of that conversation.
    pub(super) fn owns(&self, item: &Item) -> bool {
        let sort_key = sort_key(item);
        match (key::number_of(sort_key), key::revision_of_reference(sort_key)) {
            (Some(number), _) => number < self.next_number,
            (None, Some(revision)) => self.revision.as_ref().is_some_and(|own| own.as_str() == revision),
            (None, None) => false,
        }
    }
}

impl Standing {
    pub(super) fn of(item: Option<Item>) -> Result<Self> {
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

    pub(super) fn conversation(self) -> Option<ConversationItem> {
        match self {
            Self::Conversation(item) => Some(*item),
            _ => None,
        }
    }
}

/// A conversation with all its messages, those of other branches too, and what writes need to know of it.
#[derive(Clone, Debug)]
pub(super) struct StoredConversation {
    pub(super) item: ConversationItem,
    /// By number.
    pub(super) messages: Vec<StoredMessage>,
}

impl StoredConversation {
    /// The messages of the current branch, oldest first.
    pub(super) fn on_branch(&self) -> impl Iterator<Item = &StoredMessage> {
        self.messages.iter().filter(|stored| self.item.shows(stored.number))
    }
}

/// Leads from the id that a client chose to the number of the message.
#[derive(Serialize, Deserialize)]
pub(super) struct ReferenceItem {
    pub(super) number: u64,
}

/// The item of a conversation at its key.
pub(super) fn conversation_item(user: UserId, item: &ConversationItem) -> Result<Item> {
    item_at(key::conversation(user, &item.id), "conversation", item)
}
