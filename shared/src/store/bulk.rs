//! Conversations too large for one transaction. Their messages are written first, under a revision of their own
//! that no reader follows; then one transaction makes that revision the current one. So they are all or nothing
//! to readers.
//!
//! Counters by day change with the message items, in the same transactions; all other counters change when the
//! revision becomes current.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::conversations::summary_expression;
use super::expression::{Expression, Write, number, text};
use super::items::{ConversationItem, StoredConversation, StoredMessage};
use super::statistics::integer;
use super::{Store, key};
use crate::clock;
use crate::domain::statistics::Tally;
use crate::domain::{Conversation, ConversationId, Message, MessageId, Summary, UserId};
use crate::error::{Error, Result};

/// Messages and their references in one transaction, beside the days they fall on.
const MOST_MESSAGES: usize = 30;
/// DynamoDB takes 4 MB in one transaction; this leaves room for keys and encoding.
const MOST_BYTES: usize = 2_000_000;

impl Store {
    /// See [`Store::create_conversation`].
    pub(super) async fn create_large_conversation(
        &self,
        user: UserId,
        conversation: &Conversation,
    ) -> Result<()> {
        let id = &conversation.summary.id;
        // The shell holds the place and hands out numbers, so that two at once do not write over each other.
        let kept = number(clock::now().plus_seconds(86_400).seconds());
        let shell = Expression::default()
            .set("kind", text("shell"))
            .set("expires_at", kept)
            .when_absent_or_equal("kind", text("shell"));
        let count = conversation.messages.len() as u64;
        let Some(first) = self.reserve_numbers(user, id, count, shell).await? else {
            return Err(self.why_not_created(user, id).await?);
        };
        self.write_revision(user, &conversation.summary, &conversation.messages, first).await?;
        let mut change = Tally::default();
        change.count_messages(&conversation.messages, 1);
        let mut change = change.without_days();
        change.count_conversation(&conversation.summary, 1);
        let current = summary_expression(user, &conversation.summary)
            .set("kind", text("conversation"))
            .set("revision", number(first))
            .set("message_count", number(count))
            .set_or_remove("leaf", leaf(&conversation.messages))
            .set("version", number(1))
            .remove("expires_at")
            .when_equal("kind", text("shell"));
        let mut writes = vec![Write::update(&self.studio, key::conversation(user, id), current)];
        writes.extend(self.count(user, &change));
        writes.push(self.count_conversations(1));
        if self.transact(writes).await?.is_committed() {
            return Ok(());
        }
        self.withdraw_revision(user, id, &conversation.messages, first).await?;
        Err(self.why_not_created(user, id).await?)
    }

    /// Replaces all messages of `stored` by those of `new`. False when the conversation changed meanwhile.
    pub(super) async fn replace_large_conversation(
        &self,
        user: UserId,
        stored: &StoredConversation,
        new: &Conversation,
    ) -> Result<bool> {
        let id = &stored.item.id;
        let count = new.messages.len() as u64;
        let unchanged = Expression::default().when_equal("version", number(stored.item.version));
        let Some(first) = self.reserve_numbers(user, id, count, unchanged).await? else { return Ok(false) };
        self.write_revision(user, &new.summary, &new.messages, first).await?;
        let mut change = Tally::default();
        change.count_messages(stored.messages.iter().map(|stored| &stored.message), -1);
        change.count_messages(&new.messages, 1);
        let mut change = change.without_days();
        change.count_conversation(&stored.item.summary(), -1);
        change.count_conversation(&new.summary, 1);
        let current = summary_expression(user, &new.summary)
            .set("revision", number(first))
            .set("message_count", number(count))
            .set_or_remove("leaf", leaf(&new.messages))
            .add("version", 1)
            .when_equal("version", number(stored.item.version));
        let mut writes = vec![Write::update(&self.studio, key::conversation(user, id), current)];
        writes.extend(self.count(user, &change));
        let committed = self.transact(writes).await?.is_committed();
        if committed {
            let kept: HashSet<&MessageId> = new.messages.iter().map(|message| &message.id).collect();
            self.delete_messages(user, id, &stored.messages, &kept).await?;
        } else {
            self.withdraw_revision(user, id, &new.messages, first).await?;
        }
        Ok(committed)
    }

    /// Takes `count` numbers from the conversation under the conditions of `expression`: the first of them, or
    /// none when the conditions failed.
    async fn reserve_numbers(
        &self,
        user: UserId,
        id: &ConversationId,
        count: u64,
        expression: Expression,
    ) -> Result<Option<u64>> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let expression = expression.add("next_number", count);
        let updated = self.update(key::conversation(user, id), &expression, ReturnValue::UpdatedNew).await?;
        Ok(updated.and_then(|now| u64::try_from(integer(&now, "next_number") - count).ok()))
    }

    async fn write_revision(
        &self,
        user: UserId,
        summary: &Summary,
        messages: &[Message],
        first: u64,
    ) -> Result<()> {
        let item = ConversationItem { revision: first, ..ConversationItem::new(user, summary) };
        let mut number = first;
        let mut parent = None;
        for chunk in chunks(messages) {
            let mut writes = self.new_messages(user, &item, chunk, number, parent)?;
            let mut change = Tally::default();
            change.count_messages(chunk, 1);
            writes.extend(self.count(user, &change.only_days()));
            self.transact(writes).await?;
            number += chunk.len() as u64;
            parent = chunk.last().map(|message| message.id.clone());
        }
        Ok(())
    }

    /// Deletes the messages of a revision that lost to another one, which would else be counted by day for ever.
    /// References stay: they may be the other's by now.
    async fn withdraw_revision(
        &self,
        user: UserId,
        id: &ConversationId,
        messages: &[Message],
        first: u64,
    ) -> Result<()> {
        let written = messages.iter().zip(first..).map(|(message, number)| StoredMessage {
            number,
            revision: first,
            parent_id: None,
            message: message.clone(),
        });
        let kept = messages.iter().map(|message| &message.id).collect();
        self.delete_messages(user, id, &written.collect::<Vec<_>>(), &kept).await
    }

    /// Deletes message items that are no longer part of the conversation, and the references to those not `kept`.
    async fn delete_messages(
        &self,
        user: UserId,
        id: &ConversationId,
        messages: &[StoredMessage],
        kept: &HashSet<&MessageId>,
    ) -> Result<()> {
        for chunk in messages.chunks(MOST_MESSAGES) {
            let mut change = Tally::default();
            change.count_messages(chunk.iter().map(|stored| &stored.message), -1);
            let mut writes = self.count(user, &change.only_days());
            for stored in chunk {
                let there = Expression::default().when_exists("pk");
                writes.push(Write::delete(&self.studio, key::message(user, id, stored.number), there));
                if !kept.contains(&stored.message.id) {
                    let reference = key::reference(user, id, &stored.message.id);
                    writes.push(Write::delete(&self.studio, reference, Expression::default()));
                }
            }
            // Refused means that somebody else is deleting the conversation; they take care of the rest.
            if !self.transact(writes).await?.is_committed() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The id of the last message, as the conversation keeps it.
fn leaf(messages: &[Message]) -> Option<AttributeValue> {
    messages.last().map(|message| text(message.id.as_str()))
}

/// Cuts messages into parts that fit one transaction each.
fn chunks(mut messages: &[Message]) -> Vec<&[Message]> {
    let mut chunks = Vec::new();
    while !messages.is_empty() {
        let mut bytes = 0;
        let fitting = messages.iter().take(MOST_MESSAGES).take_while(|message| {
            bytes += message.content.as_str().len();
            bytes <= MOST_BYTES
        });
        // One message is at most 256 KB, so at least one fits.
        let (chunk, rest) = messages.split_at(fitting.count().max(1));
        chunks.push(chunk);
        messages = rest;
    }
    chunks
}

/// Refuses to go on with a conversation that kept changing.
pub(super) fn kept_changing() -> Error {
    let detail = "The conversation kept changing. Please try again.";
    Error::new(crate::error::Code::Conflict, detail)
}
