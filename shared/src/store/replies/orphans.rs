//! Replies whose conversation is deleted while they are made. Their text goes with the conversation; what they have used is
//! settled by their workers, who find out with the next checkpoint, or else from the last one. So their items stay, without a
//! text and until their TTL, and nobody takes them for replies that used nothing.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::item::ReplyItem;
use crate::domain::{ConversationId, Millis, UserId};
use crate::error::Result;
use crate::store::conversations::cleanup::ORPHANED;
use crate::store::dynamo::{Expression, from_item, number};
use crate::store::{Store, key};

/// How long the item of such a reply is kept.
const KEPT_SECONDS: u64 = 86_400;

impl Store {
    /// Takes a reply of a deleted conversation from its worker.
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
            // One that nobody has begun never begins.
            .set("start_by", number(0))
            .set("expires_at", number(kept))
            .remove("worker")
            .remove("content")
            .when_exists("pk");
        let key = key::reply(user, conversation, reply);
        let Some(item) = self.update(key, &orphaned, ReturnValue::AllNew).await? else { return Ok(()) };
        let item: ReplyItem = from_item(item)?;
        if item.is_alive(now) {
            // Its worker settles it.
            return Ok(());
        }
        self.settle_orphan(user, &item).await
    }

    /// Settles with what the last checkpoint says of a reply that nobody makes any more.
    pub(in crate::store) async fn settle_orphan(&self, user: UserId, item: &ReplyItem) -> Result<()> {
        match &item.held {
            Some(held) => self.settle(user, held, item.charge.as_ref()).await,
            None => Ok(()),
        }
    }
}
