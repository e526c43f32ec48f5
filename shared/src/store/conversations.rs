//! Conversations: created, read, listed.

use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::expression::{Expression, Write, number, text};
use super::items::{
    ConversationItem, MessageItem, ReferenceItem, StoredConversation, StoredMessage, item_at,
};
use super::statistics::sort_key;
use super::transaction::{failed, from_item};
use super::{Store, key};
use crate::domain::statistics::Tally;
use crate::domain::{
    Conversation, ConversationId, Message, MessageId, Millis, ModelName, RuleBroken, Summary, Title, UserId,
};
use crate::error::{Code, Error, Result};

/// A place in a user's list of conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl FromStr for Cursor {
    type Err = RuleBroken;

    fn from_str(text: &str) -> Result<Self, RuleBroken> {
        let parse = || {
            let place = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
            let (time, id) = place.split_once('#')?;
            let well_formed = time.len() == 15 && time.bytes().all(|b| b.is_ascii_digit());
            id.parse::<ConversationId>().ok().filter(|_| well_formed)?;
            Some(Self(place))
        };
        parse().ok_or_else(|| RuleBroken("must be one that this service gave".to_owned()))
    }
}

/// Opaque, and fit for a URL.
impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

/// A conversation as the list knows it, and where the list goes on behind it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub id: ConversationId,
    /// What it is called.
    pub title: Title,
    /// When it last changed.
    pub updated_at: Millis,
    /// The AI model that answers in it.
    pub model: ModelName,
    /// How many messages it has.
    pub message_count: u64,
    /// The place just behind it.
    pub cursor: Cursor,
}

impl Store {
    /// Stores a conversation that must not be there.
    ///
    /// # Errors
    /// [`Code::ConversationExists`], [`Code::ConversationDeleted`].
    pub async fn create_conversation(&self, user: UserId, conversation: &Conversation) -> Result<()> {
        let mut change = Tally::default();
        change.count_conversation(&conversation.summary, 1);
        change.count_messages(&conversation.messages, 1);
        if !fits_one_transaction(&conversation.messages, &change) {
            return self.create_large_conversation(user, conversation).await;
        }
        let mut item = ConversationItem::new(user, &conversation.summary);
        item.next_number = conversation.messages.len() as u64;
        item.message_count = item.next_number;
        item.leaf = conversation.messages.last().map(|message| message.id.clone());
        let key = key::conversation(user, &item.id);
        let mut writes = vec![Write::create(&self.studio, item_at(key, "conversation", &item)?)];
        writes.extend(self.new_messages(user, &item, &conversation.messages, 0, None)?);
        writes.extend(self.count(user, &change));
        writes.push(self.count_conversations(1));
        match self.transact(writes).await?.refused() {
            [] => Ok(()),
            _ => Err(self.why_not_created(user, &item.id).await?),
        }
    }

    /// Why a conversation could not be created.
    pub(super) async fn why_not_created(&self, user: UserId, id: &ConversationId) -> Result<Error> {
        let key = key::conversation(user, id);
        Ok(match self.find_item::<HashMap<String, serde_json::Value>>(key).await? {
            Some(item) if item.get("kind").is_some_and(|kind| kind == "tombstone") => conversation_deleted(),
            Some(_) => Error::new(Code::ConversationExists, "You have a conversation with this id already"),
            None => Error::new(Code::Unauthenticated, "Could not validate credentials"),
        })
    }

    /// The writes that append `messages` to a conversation, numbered from `first`.
    pub(super) fn new_messages(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        messages: &[Message],
        first: u64,
        mut parent: Option<MessageId>,
    ) -> Result<Vec<Write>> {
        let mut writes = Vec::with_capacity(messages.len() * 2);
        for (message, number) in messages.iter().zip(first..) {
            let item = MessageItem::new(message, conversation.revision, parent.replace(message.id.clone()));
            let key = key::message(user, &conversation.id, number);
            writes.push(Write::put(&self.studio, item_at(key, "message", &item)?));
            writes.extend(self.reference(user, &conversation.id, &message.id, number)?);
        }
        Ok(writes)
    }

    /// The write that leads from a message's id to its number, unless the id tells it.
    pub(super) fn reference(
        &self,
        user: UserId,
        conversation: &ConversationId,
        message: &MessageId,
        number: u64,
    ) -> Result<Option<Write>> {
        if message.number() == Some(number) {
            return Ok(None);
        }
        let key = key::reference(user, conversation, message);
        Ok(Some(Write::put(&self.studio, item_at(key, "reference", &ReferenceItem { number })?)))
    }

    /// The same as [`Self::find_conversation`], after a reply that nobody is making any more was ended.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn find_repaired_conversation(
        &self,
        user: UserId,
        id: &ConversationId,
        now: Millis,
    ) -> Result<Option<Conversation>> {
        let stored = self.find_stored_conversation(user, id).await?;
        let running = stored.as_ref().and_then(|stored| stored.item.running);
        match running {
            Some(number) if self.end_abandoned_reply(user, id, number, now).await? => {
                self.find_conversation(user, id).await
            }
            _ => Ok(stored.map(StoredConversation::conversation)),
        }
    }

    /// The conversation with all its messages, oldest first, read consistently by one Query.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn find_conversation(&self, user: UserId, id: &ConversationId) -> Result<Option<Conversation>> {
        let stored = self.find_stored_conversation(user, id).await?;
        Ok(stored.map(StoredConversation::conversation))
    }

    pub(super) async fn find_stored_conversation(
        &self,
        user: UserId,
        id: &ConversationId,
    ) -> Result<Option<StoredConversation>> {
        let pages = self
            .client
            .query()
            .table_name(&self.studio)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(key::conversation_partition(user, id)))
            .expression_attribute_values(":first", text(key::CONVERSATION))
            .expression_attribute_values(":last", text(key::AFTER_MESSAGES))
            .into_paginator()
            .items()
            .send();
        let items = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(failed)?;
        stored_conversation(items)
    }

    /// The conversations of `user`, the last changed first: at most `limit` of those behind `after`. The list may
    /// lag behind a change by a moment.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn list_conversations(
        &self,
        user: UserId,
        after: Option<&Cursor>,
        limit: i32,
    ) -> Result<Vec<Listed>> {
        let owner = text(key::user_partition(user));
        let start = after.and_then(|cursor| {
            let (_, id) = cursor.0.split_once('#')?;
            let mut start = key::conversation(user, &id.parse().ok()?).attributes();
            start.insert("owner".to_owned(), owner.clone());
            start.insert("updated".to_owned(), text(cursor.0.clone()));
            Some(start)
        });
        let request = self
            .client
            .query()
            .table_name(&self.studio)
            .index_name(key::BY_UPDATE)
            .scan_index_forward(false)
            .limit(limit)
            .key_condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", owner)
            .set_exclusive_start_key(start);
        let answer = request.send().await.map_err(failed)?;
        answer.items.unwrap_or_default().into_iter().map(listed).collect()
    }
}

/// What a conversation's own item says of `summary`, for an update of it.
pub(super) fn summary_expression(user: UserId, summary: &Summary) -> Expression {
    Expression::default()
        .set("id", text(summary.id.as_str()))
        .set("owner", text(key::user_partition(user)))
        .set("updated", text(key::place_in_list(summary.updated_at, &summary.id)))
        .set("title", text(summary.title.as_str()))
        .set("created_at", number(summary.created_at.get()))
        .set("updated_at", number(summary.updated_at.get()))
        .set("model", text(summary.model.as_str()))
        .set_or_remove("system_prompt", summary.system_prompt.as_ref().map(|prompt| text(prompt.as_str())))
}

pub(super) fn reply_running() -> Error {
    Error::new(Code::ReplyRunning, "A reply is being made in this conversation")
}

pub(super) fn conversation_deleted() -> Error {
    Error::new(Code::ConversationDeleted, "This conversation was deleted; please choose another id")
}

/// Whether a conversation with these messages can be written at once: in number, and in size (DynamoDB takes 4 MB).
pub(super) fn fits_one_transaction(messages: &[Message], change: &Tally) -> bool {
    let bytes: usize = messages.iter().map(|message| message.content.as_str().len() + 1024).sum();
    // Each message may need a reference; besides, there are the conversation and the totals.
    Store::count_fits(change, messages.len() * 2 + 2) && bytes < 3_000_000
}

/// What one Query found. A shell, which is a large conversation being created, and a tombstone are none.
fn stored_conversation(items: Vec<HashMap<String, AttributeValue>>) -> Result<Option<StoredConversation>> {
    let mut items = items.into_iter();
    let Some(first) = items.next().filter(is_conversation) else { return Ok(None) };
    let item: ConversationItem = from_item(first)?;
    let mut messages = Vec::new();
    for item in items {
        messages.extend(stored_message(item)?);
    }
    messages.retain(|stored| stored.revision == item.revision);
    Ok(Some(StoredConversation { item, messages }))
}

pub(super) fn is_conversation(item: &HashMap<String, AttributeValue>) -> bool {
    item.get("kind").and_then(|kind| kind.as_s().ok()).is_some_and(|kind| kind == "conversation")
}

/// The message of an item, when it is one.
pub(super) fn stored_message(item: HashMap<String, AttributeValue>) -> Result<Option<StoredMessage>> {
    let Some(number) = key::message_number(sort_key(&item)) else { return Ok(None) };
    let item: MessageItem = from_item(item)?;
    let (revision, parent_id) = (item.revision, item.parent_id.clone());
    Ok(Some(StoredMessage { number, revision, parent_id, message: item.message() }))
}

fn listed(item: HashMap<String, AttributeValue>) -> Result<Listed> {
    #[derive(serde::Deserialize)]
    struct Entry {
        id: ConversationId,
        updated: String,
        title: Title,
        updated_at: Millis,
        model: ModelName,
        message_count: u64,
    }
    let entry: Entry = from_item(item)?;
    Ok(Listed {
        id: entry.id,
        title: entry.title,
        updated_at: entry.updated_at,
        model: entry.model,
        message_count: entry.message_count,
        cursor: Cursor(entry.updated),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_we_did_not_make_is_refused() {
        let cursor = Cursor("001795300000000#conv_1".to_owned());
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        for forged in ["", "#", "1#x", "00179530000000x#x", "001795300000000#", "001795300000000"] {
            assert!(forged.parse::<Cursor>().is_err(), "{forged}");
            assert!(BASE64.encode(forged).parse::<Cursor>().is_err(), "{forged} encoded");
        }
    }
}
