//! A conversation's own item, and its conversion to and from domain values.

use serde::{Deserialize, Serialize};

use super::message_item::StoredMessage;
use crate::clock;
use crate::domain::conversations::conversation::preview;
use crate::domain::{
    Branch, ConversationId, Filing, Folder, Message, Millis, ModelName, Summary, SystemPrompt, Tags, Title,
    UserId, Version,
};
use crate::error::Result;
use crate::store::dynamo::{Expression, Item, item_at, number, text};
use crate::store::key;

/// The assumed number of tokens of a message that no model has read yet.
const TOKENS_OF_A_MESSAGE: u64 = 200;

/// The name of one set of messages of a conversation. Messages of other revisions in the same partition are not part of
/// the conversation. The name is random, so items that an interrupted operation left behind never match it by accident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Revision(String);

impl Revision {
    pub(in crate::store) fn random() -> Self {
        Self(format!("{:08x}", clock::new_ulid().random() as u32))
    }

    pub(in crate::store) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The item of a conversation. `owner` and `updated` are the keys of the index; an item without them is in no list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::store) struct ConversationItem {
    pub(in crate::store) id: ConversationId,
    pub(in crate::store) owner: String,
    pub(in crate::store) updated: String,
    pub(in crate::store) title: Title,
    pub(in crate::store) created_at: Millis,
    pub(in crate::store) updated_at: Millis,
    pub(in crate::store) model: ModelName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) system_prompt: Option<SystemPrompt>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::store) pinned: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::store) archived: bool,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub(in crate::store) tags: Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) folder: Option<Folder>,
    /// The number that the next message gets.
    pub(in crate::store) next_number: u64,
    /// The number of the last message of the current branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) leaf: Option<u64>,
    /// The current branch; absent while there is only one branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) branch: Option<Branch>,
    /// How many messages the current branch has.
    pub(in crate::store) message_count: u64,
    /// The beginning of the last message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) preview: Option<String>,
    /// The current revision.
    pub(in crate::store) revision: Revision,
    /// A number that increases with every change.
    pub(in crate::store) version: u64,
    /// The input and output tokens of the last reply: an estimate of what the next reply has to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) past_tokens: Option<u64>,
    /// The message number of the reply that is being made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) running: Option<u64>,
    /// True once a `PUT` came from a client that may have received only the newest messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::store) shown_in_part: bool,
    /// Until when the process that creates the conversation may be running, in seconds since the epoch. Only a shell
    /// has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) writing_until: Option<u64>,
}

impl ConversationItem {
    /// Creates the item of a conversation without messages.
    pub(in crate::store) fn new(user: UserId, summary: &Summary) -> Self {
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

    /// This item with messages that follow each other, numbered from 0.
    pub(in crate::store) fn with_messages(mut self, messages: &[Message]) -> Self {
        self.next_number = messages.len() as u64;
        self.message_count = self.next_number;
        self.leaf = self.next_number.checked_sub(1);
        self.preview = messages.last().map(preview);
        self
    }

    /// An estimate of the tokens that the next prompt has before the user's new message.
    pub(in crate::store) fn estimated_past_tokens(&self) -> u64 {
        self.past_tokens.unwrap_or(self.message_count * TOKENS_OF_A_MESSAGE)
    }

    pub(in crate::store) fn summary(&self) -> Summary {
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

    /// The version of the conversation.
    pub(in crate::store) fn version(&self) -> Version {
        Version::new(self.version, self.revision.as_str())
    }

    /// Whether a message belongs to the conversation, on any branch.
    pub(in crate::store) fn owns(&self, message: &StoredMessage) -> bool {
        message.revision == self.revision && message.number < self.next_number
    }

    /// Whether the message with this number is on the current branch.
    pub(in crate::store) fn shows(&self, number: u64) -> bool {
        self.branch.as_ref().is_none_or(|branch| branch.has(number))
    }

    /// The current branch after `count` messages, numbered from `first`, were added after message `parent`; `None`
    /// while there is only one branch.
    pub(in crate::store) fn branch_with(
        &self,
        parent: Option<u64>,
        first: u64,
        count: u64,
    ) -> Option<Branch> {
        let extends_branch = parent == self.leaf;
        if extends_branch && self.branch.is_none() {
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
    /// The update of a conversation's own item that adds `count` messages after `parent`. `up_to` is how many messages
    /// the branch has up to and including `parent`. The update requires that the numbers are still free: a request that
    /// stages another revision reserves numbers without changing the version.
    pub(in crate::store) fn append_expression(
        &self,
        parent: Option<u64>,
        up_to: u64,
        count: u64,
    ) -> Expression {
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

/// The attributes of a conversation's own item, with its key.
pub(in crate::store) fn conversation_item(user: UserId, item: &ConversationItem) -> Result<Item> {
    item_at(key::conversation(user, &item.id), "conversation", item)
}
