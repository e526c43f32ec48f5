//! The item of a message in the table, and its conversion to and from domain values.

use serde::{Deserialize, Serialize};

use super::item::Revision;
use crate::domain::{
    ConversationId, Message, MessageId, Millis, ModelName, ReplyStatus, Role, TokenCount, UserId,
};
use crate::error::Result;
use crate::store::dynamo::{Item, Packed, Write, from_item, sort_key, to_item};
use crate::store::key;

/// The item of a message. The key contains its number. The names of the attributes are short because each message
/// repeats them, and there is no `kind`, because the sort key identifies a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::store) struct MessageItem {
    id: MessageId,
    role: Role,
    pub(in crate::store) text: Packed,
    at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<TokenCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ReplyStatus>,
    rev: Revision,
    /// The number of the parent: the message that it follows. Always lower than its own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
}

/// A message with its position in the table.
#[derive(Clone, Debug)]
pub(in crate::store) struct StoredMessage {
    pub(in crate::store) number: u64,
    pub(in crate::store) revision: Revision,
    /// The number of the parent: the message that it follows.
    pub(in crate::store) parent: Option<u64>,
    pub(in crate::store) message: Message,
}

impl StoredMessage {
    /// The write that stores the message and overwrites an existing one.
    pub(in crate::store) fn put(&self, table: &str, user: UserId, id: &ConversationId) -> Result<Write> {
        Ok(Write::put(table, self.item(user, id)?))
    }

    /// The write that stores the message, which must not exist yet.
    pub(in crate::store) fn create(&self, table: &str, user: UserId, id: &ConversationId) -> Result<Write> {
        Ok(Write::create(table, self.item(user, id)?))
    }

    pub(in crate::store) fn item(&self, user: UserId, id: &ConversationId) -> Result<Item> {
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

/// The message in an item; `None` when the item is not a message.
pub(in crate::store) fn stored_message(item: Item) -> Result<Option<StoredMessage>> {
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

/// The item that leads from a message id that a client chose to the number of the message.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct ReferenceItem {
    pub(in crate::store) number: u64,
}
