//! Deleting a conversation: gone for every reader at once, its items soon after.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use super::bulk::kept_changing;
use super::expression::{Expression, Write, number, text};
use super::items::{StoredConversation, item_at};
use super::statistics::sort_key;
use super::transaction::failed;
use super::{Store, conversations, key};
use crate::clock;
use crate::domain::statistics::Tally;
use crate::domain::{ConversationId, Millis, UserId};
use crate::error::{Error, Result};

/// How long it is remembered that a conversation was deleted, so that a late message does not bring it back.
const REMEMBERED_SECONDS: u64 = 86_400;
/// Items deleted in one transaction, beside the days their messages fall on.
const PAGE: i32 = 48;
const MOST_TRIES: usize = 5;

impl Store {
    /// Deletes a conversation. One transaction takes it out of every list and statistic and leaves a tombstone for
    /// a day; then its items go. Deleting it again finishes what an interrupted deletion left.
    ///
    /// # Errors
    /// [`crate::error::Code::NotFound`] when there is none (any more).
    pub async fn delete_conversation(&self, user: UserId, id: &ConversationId) -> Result<()> {
        for _ in 0..MOST_TRIES {
            let Some(stored) = self.find_stored_conversation(user, id).await? else {
                if self.is_deleted(user, id).await? {
                    self.sweep(user, id).await?;
                }
                return Err(Error::no_conversation());
            };
            if self.bury(user, &stored, clock::now()).await? {
                return self.sweep(user, id).await;
            }
        }
        Err(kept_changing())
    }

    async fn is_deleted(&self, user: UserId, id: &ConversationId) -> Result<bool> {
        let item = self.find_item::<HashMap<String, serde_json::Value>>(key::conversation(user, id)).await?;
        Ok(item.is_some_and(|item| item.get("kind").is_some_and(|kind| kind == "tombstone")))
    }

    /// Puts a tombstone in the conversation's place. False when the conversation changed meanwhile.
    async fn bury(&self, user: UserId, stored: &StoredConversation, now: Millis) -> Result<bool> {
        let mut messages = Tally::default();
        messages.count_messages(stored.messages.iter().map(|stored| &stored.message), -1);
        let mut change = messages.without_days();
        change.count_conversation(&stored.item.summary(), -1);
        let tombstone = json!({ "expires_at": now.plus_seconds(REMEMBERED_SECONDS).seconds() });
        let tombstone = item_at(key::conversation(user, &stored.item.id), "tombstone", &tombstone)?;
        let unchanged = Expression::default()
            .when_equal("version", number(stored.item.version))
            .when_equal("kind", text("conversation"));
        let mut writes = vec![Write::replace(&self.studio, tombstone, unchanged)];
        writes.extend(self.count(user, &change));
        writes.push(self.count_conversations(-1));
        Ok(self.transact(writes).await?.is_committed())
    }

    /// Deletes all that hangs on a buried conversation. Counters by day change with the messages.
    async fn sweep(&self, user: UserId, id: &ConversationId) -> Result<()> {
        loop {
            let page = self.page_behind_tombstone(user, id).await?;
            if page.is_empty() {
                return Ok(());
            }
            let mut change = Tally::default();
            let mut writes = Vec::new();
            for item in page {
                let key = key::within_conversation(user, id, sort_key(&item));
                let there = Expression::default().when_exists("pk");
                writes.push(Write::delete(&self.studio, key, there));
                if let Some(stored) = conversations::stored_message(item)? {
                    change.count_message(&stored.message, -1);
                }
            }
            writes.extend(self.count(user, &change.only_days()));
            // Refused means that somebody else deletes the same items; the next page tells what is left.
            self.transact(writes).await?;
        }
    }

    async fn page_behind_tombstone(
        &self,
        user: UserId,
        id: &ConversationId,
    ) -> Result<Vec<HashMap<String, AttributeValue>>> {
        let request = self
            .client
            .query()
            .table_name(&self.studio)
            .consistent_read(true)
            .limit(PAGE)
            .key_condition_expression("pk = :pk AND sk > :tombstone")
            .expression_attribute_values(":pk", text(key::conversation_partition(user, id)))
            .expression_attribute_values(":tombstone", text(key::CONVERSATION));
        let answer = request.send().await.map_err(failed)?;
        Ok(answer.items.unwrap_or_default())
    }
}
