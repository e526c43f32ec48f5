//! Items as they stand in the table, apart from their keys, and how they become domain values.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::expression::text;
use super::key::{self, Key};
use super::transaction::to_item;
use crate::domain::{
    Content, Conversation, ConversationId, DisplayName, Email, Failures, KeyId, Message, MessageId, Millis,
    ModelName, ReplyStatus, Role, SessionId, Summary, SystemPrompt, Title, TokenCount, User, UserId,
    Username,
};
use crate::error::Result;

/// The item at `key` with the attributes of `value`.
pub(super) fn item_at(
    key: Key,
    kind: &str,
    value: &impl Serialize,
) -> Result<HashMap<String, AttributeValue>> {
    let mut item = to_item(value)?;
    item.extend(key.attributes());
    item.insert("kind".to_owned(), text(kind));
    Ok(item)
}

#[derive(Serialize, Deserialize)]
pub(super) struct UserItem {
    id: UserId,
    username: Username,
    email: Email,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<DisplayName>,
    created_at: Millis,
    token_version: u64,
    /// A set cannot be empty in DynamoDB, so without sessions there is none.
    #[serde(with = "serde_dynamo::string_set", default, skip_serializing_if = "BTreeSet::is_empty")]
    sessions: BTreeSet<SessionId>,
    #[serde(with = "serde_dynamo::string_set", default, skip_serializing_if = "BTreeSet::is_empty")]
    keys: BTreeSet<KeyId>,
    password_hash: String,
    #[serde(default, skip_serializing_if = "is_none")]
    failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed_at: Option<Millis>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

impl From<User> for UserItem {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            email: user.email,
            display_name: user.display_name,
            created_at: user.created_at,
            token_version: user.token_version,
            sessions: user.sessions,
            keys: user.keys,
            password_hash: user.password_hash,
            failures: user.failures.count,
            failed_at: (user.failures.count > 0).then_some(user.failures.last_at),
        }
    }
}

impl From<UserItem> for User {
    fn from(item: UserItem) -> Self {
        Self {
            id: item.id,
            username: item.username,
            email: item.email,
            display_name: item.display_name,
            created_at: item.created_at,
            token_version: item.token_version,
            sessions: item.sessions,
            keys: item.keys,
            password_hash: item.password_hash,
            failures: Failures { count: item.failures, last_at: item.failed_at.unwrap_or_default() },
        }
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
    /// The number of the next message.
    pub(super) next_number: u64,
    /// The last message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) leaf: Option<MessageId>,
    /// How many messages of the current revision there are.
    pub(super) message_count: u64,
    /// The number at which the current revision began when it was written. Messages of other revisions are not
    /// part of the conversation.
    pub(super) revision: u64,
    /// Goes up with every change.
    pub(super) version: u64,
    /// The number of the reply that is being made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) running: Option<u64>,
}

impl ConversationItem {
    pub(super) fn new(user: UserId, summary: &Summary) -> Self {
        Self {
            id: summary.id.clone(),
            owner: key::user_partition(user),
            updated: key::place_in_list(summary.updated_at, &summary.id),
            title: summary.title.clone(),
            created_at: summary.created_at,
            updated_at: summary.updated_at,
            model: summary.model.clone(),
            system_prompt: summary.system_prompt.clone(),
            next_number: 0,
            leaf: None,
            message_count: 0,
            revision: 0,
            version: 1,
            running: None,
        }
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            id: self.id.clone(),
            title: self.title.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            model: self.model.clone(),
            system_prompt: self.system_prompt.clone(),
        }
    }
}

/// A message as stored. Its number is in its key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MessageItem {
    pub(super) id: MessageId,
    pub(super) role: Role,
    pub(super) content: Content,
    pub(super) timestamp: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<ModelName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<TokenCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<ReplyStatus>,
    pub(super) revision: u64,
    /// The message it follows. Conversations are lines so far; this makes them trees one day.
    #[serde(rename = "parentId", skip_serializing_if = "Option::is_none")]
    pub(super) parent_id: Option<MessageId>,
}

impl MessageItem {
    pub(super) fn new(message: &Message, revision: u64, parent_id: Option<MessageId>) -> Self {
        Self {
            id: message.id.clone(),
            role: message.role,
            content: message.content.clone(),
            timestamp: message.timestamp,
            model: message.model.clone(),
            tokens: message.tokens,
            status: message.status,
            revision,
            parent_id,
        }
    }

    pub(super) fn message(self) -> Message {
        Message {
            id: self.id,
            role: self.role,
            content: self.content,
            timestamp: self.timestamp,
            model: self.model,
            tokens: self.tokens,
            status: self.status,
        }
    }
}

/// A message with its place in the table.
#[derive(Clone, Debug)]
pub(super) struct StoredMessage {
    pub(super) number: u64,
    pub(super) revision: u64,
    pub(super) parent_id: Option<MessageId>,
    pub(super) message: Message,
}

/// A conversation with its messages and what writes need to know of it.
#[derive(Clone, Debug)]
pub(super) struct StoredConversation {
    pub(super) item: ConversationItem,
    /// Those of the current revision, oldest first.
    pub(super) messages: Vec<StoredMessage>,
}

impl StoredConversation {
    pub(super) fn conversation(self) -> Conversation {
        Conversation {
            summary: self.item.summary(),
            messages: self.messages.into_iter().map(|stored| stored.message).collect(),
        }
    }
}

/// Leads from the id that a client chose to the number of the message.
#[derive(Serialize, Deserialize)]
pub(super) struct ReferenceItem {
    pub(super) number: u64,
}
