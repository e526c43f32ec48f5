//! Orphaned replies: replies whose conversation is deleted while they are being made. Deleting the conversation takes
//! the lease from the worker and removes the text, but keeps the reply's item until its TTL. The worker notices with
//! its next checkpoint that its lease is lost, and settles the reservation with what it has used. If the worker has
//! died, the reservation is settled with the usage of the last checkpoint. The item is kept because its checkpoint
//! holds the usage to charge.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::item::ReplyItem;
use crate::domain::{ConversationId, Millis, UserId};
use crate::error::Result;
use crate::store::conversations::cleanup::ORPHANED;
use crate::store::dynamo::{Expression, from_item, number};
use crate::store::{Store, key};

/// How long the item of an orphaned reply is kept.
const KEPT_SECONDS: u64 = 86_400;

impl Store {
    /// Orphans a reply of a deleted conversation: takes the lease from its worker, and settles its reservation if the
    /// worker has died.
    pub(in crate::store) async fn orphan_reply(
        &self,
        user: UserId,
        conversation: &ConversationId,
        reply: u64,
        now: Millis,
    ) -> Result<()> {
        let kept = now.plus_seconds(KEPT_SECONDS).seconds();
        let orphaned = Expression::default()
            .set(ORPHANED, AttributeValue::Bool(true))
            // A reply that no worker has begun must not begin any more.
            .set("start_by", number(0))
            .set("expires_at", number(kept))
            .remove("worker")
            .remove("content")
            .when_exists("pk");
        let key = key::reply(user, conversation, reply);
        let Some(item) = self.update(key, &orphaned, ReturnValue::AllNew).await? else { return Ok(()) };
        let item: ReplyItem = from_item(item)?;
        if item.is_alive(now) {
            // The worker settles the reservation.
            return Ok(());
        }
        self.settle_orphan(user, &item).await
    }

    /// Settles the reservation of an orphaned reply, whose worker has died, with the usage of its last checkpoint.
    pub(in crate::store) async fn settle_orphan(&self, user: UserId, item: &ReplyItem) -> Result<()> {
        match &item.held {
            Some(held) => self.settle(user, held, item.charge.as_ref()).await,
            None => Ok(()),
        }
    }
}
