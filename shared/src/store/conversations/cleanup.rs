//! Cleanup after operations that take several writes. Such an operation first stores a [`CleanupIntent`]. It says which
//! revisions of a conversation the operation writes or makes obsolete. When the operation is done, it deletes the items
//! that no reader sees, and then the intent. If its process dies, a later request of the user finds the intent, deletes
//! the items that no reader sees, and then deletes the intent. Cleanup never changes counters.

use serde::{Deserialize, Serialize};

use super::item::Revision;
use super::slot::{ConversationSlot, Tombstone};
use crate::clock;
use crate::domain::{ConversationId, Millis, UserId};
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::dynamo::{
    Expression, Item, KeyRange, Write, failed, from_item, item_at, number, sort_key, text,
};
use crate::store::{Store, key};

/// How long after an intent was stored another request may take over its cleanup. No function that serves a request
/// runs longer than 29 s.
const LIFE_SECONDS: u64 = 60;
/// Staged writes must end this long after the intent was stored. The gateway waits for an answer for 29 s.
const WRITING_SECONDS: u64 = 20;
/// The operation's own cleanup must end this long after the intent was stored.
const CLEANUP_SECONDS: u64 = 23;
/// How many items are read before the clock is checked again.
const PAGE: usize = 1000;
/// How long a tombstone is kept after its conversation's items were deleted, so that a late message does not create the
/// conversation again.
const TOMBSTONE_SECONDS: u64 = 86_400;

/// The attribute of a reply whose conversation was deleted while the reply was being made. Cleanup does not delete such
/// an item: it stays until its reservation is settled or its TTL expires.
pub(in crate::store) const ORPHANED: &str = "orphaned";

/// The deadline for the cleanup of another operation: 10 s from now.
pub(in crate::store) fn soon() -> Millis {
    clock::now().plus_seconds(10)
}

/// The note that an operation is writing or deleting many items of a conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::store) struct CleanupIntent {
    token: String,
    conversation: ConversationId,
    /// The revisions that the operation writes or replaces. Cleanup deletes their items, except those of the revision
    /// that is current by then. Empty for the deletion of a conversation, whose tombstone says what to delete.
    revisions: Vec<Revision>,
    /// Until when the process of the operation may still be running, in seconds since the epoch.
    until: u64,
}

impl CleanupIntent {
    /// Creates the intent of an operation that writes these revisions, or that deletes a conversation.
    pub(in crate::store) fn new(
        conversation: &ConversationId,
        revisions: Vec<Revision>,
        now: Millis,
    ) -> Self {
        let token = clock::new_ulid().to_string();
        let until = now.plus_seconds(LIFE_SECONDS).seconds();
        Self { token, conversation: conversation.clone(), revisions, until }
    }

    pub(in crate::store) fn until(&self) -> u64 {
        self.until
    }

    /// The deadline for staged writes, before the transaction that makes the revision current.
    pub(in crate::store) fn written_by(&self) -> Millis {
        Millis::default().plus_seconds(self.until + WRITING_SECONDS - LIFE_SECONDS)
    }

    /// When the process of the operation has certainly ended.
    pub(in crate::store) fn ends_at(&self) -> Millis {
        Millis::default().plus_seconds(self.until)
    }

    /// The conversation that the operation changes.
    pub(in crate::store) fn conversation(&self) -> &ConversationId {
        &self.conversation
    }
}

impl Store {
    /// Stores an intent before its operation begins.
    pub(in crate::store) async fn put_cleanup_intent(
        &self,
        user: UserId,
        intent: &CleanupIntent,
    ) -> Result<()> {
        let item = item_at(key::cleanup_intent(user, &intent.token), "unfinished", intent)?;
        self.put(&self.studio, item).await
    }

    /// The write that stores an intent as part of a transaction.
    pub(in crate::store) fn cleanup_intent_write(
        &self,
        user: UserId,
        intent: &CleanupIntent,
    ) -> Result<Write> {
        Ok(Write::put(&self.studio, item_at(key::cleanup_intent(user, &intent.token), "unfinished", intent)?))
    }

    /// Finishes the cleanups of interrupted operations on conversations of `user`, until `deadline`. Takes one request
    /// when there are none. False when `deadline` came first. Cleanups of operations that may still be running are left
    /// to them.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn finish_cleanups(&self, user: UserId, deadline: Millis) -> Result<bool> {
        let intents = self.list_cleanup_intents(user).await?;
        for intent in &intents {
            let now = clock::now();
            if now >= deadline {
                return Ok(false);
            }
            let is_only_intent =
                intents.iter().filter(|other| other.conversation == intent.conversation).count() == 1;
            if intent.until < now.seconds()
                && !self.finish_cleanup(user, intent, is_only_intent, deadline).await?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lists the stored intents of a user.
    pub(in crate::store) async fn list_cleanup_intents(&self, user: UserId) -> Result<Vec<CleanupIntent>> {
        let (from, to) = (key::CLEANUP_INTENTS, key::AFTER_CLEANUP_INTENTS);
        let intents = self.query(&KeyRange::new(&self.studio, key::user_partition(user), from, to)).await?;
        intents.into_iter().map(from_item).collect()
    }

    /// Cleans up after the caller's own operation, as far as there is time. A failure is only logged: the operation has
    /// succeeded, and a later request finishes the cleanup.
    pub(in crate::store) async fn run_cleanup(&self, user: UserId, intent: &CleanupIntent) {
        let deadline = Millis::default().plus_seconds(intent.until + CLEANUP_SECONDS - LIFE_SECONDS);
        if let Err(error) = self.finish_cleanup(user, intent, false, deadline).await {
            let conversation = &intent.conversation;
            tracing::warn!(%user, %conversation, ?error, "cleanup failed; a later request of the user retries it");
        }
    }

    /// Finishes the cleanups of interrupted operations within a few seconds, for a request with another purpose. A
    /// failure is only logged.
    pub(in crate::store) async fn run_pending_cleanups(&self, user: UserId) {
        if let Err(error) = self.finish_cleanups(user, soon()).await {
            tracing::warn!(%user, ?error, "cleanup failed; a later request of the user retries it");
        }
    }

    /// Deletes the items of the revisions of `intent` that no reader sees, and then the intent. False when `deadline`
    /// came first; then a later request continues. `is_only_intent` says that no other operation on the conversation
    /// has an intent, so a shell can be deleted too.
    pub(in crate::store) async fn finish_cleanup(
        &self,
        user: UserId,
        intent: &CleanupIntent,
        is_only_intent: bool,
        deadline: Millis,
    ) -> Result<bool> {
        let id = &intent.conversation;
        let all: Vec<&Revision> = intent.revisions.iter().collect();
        let done = match self.find_slot(user, id).await? {
            ConversationSlot::Absent => self.delete_revisions(user, id, &all, deadline).await?,
            ConversationSlot::Tombstone(tombstone) => {
                self.delete_revisions(user, id, &all, deadline).await?
                    && self.delete_leftovers(user, id, &tombstone, deadline).await?
            }
            ConversationSlot::Conversation(item) => {
                let obsolete: Vec<&Revision> =
                    intent.revisions.iter().filter(|it| **it != item.revision).collect();
                self.delete_revisions(user, id, &obsolete, deadline).await?
            }
            ConversationSlot::Shell(until) => {
                let done = self.delete_revisions(user, id, &all, deadline).await?;
                if let Some(until) = until.filter(|until| done && is_only_intent && *until <= intent.until) {
                    self.delete_shell(user, id, until).await?;
                }
                done
            }
        };
        if !done {
            return Ok(false);
        }
        let key = key::cleanup_intent(user, &intent.token).attributes();
        let request = self.client.delete_item().table_name(&self.studio).set_key(Some(key));
        request.send().await.map_err(failed)?;
        Ok(true)
    }

    /// Deletes the shell of a conversation whose creation failed, unless another request has taken it over.
    pub(in crate::store) async fn delete_shell(
        &self,
        user: UserId,
        id: &ConversationId,
        until: u64,
    ) -> Result<()> {
        let unchanged = Expression::default()
            .when_equal("kind", text("shell"))
            .when_equal("writing_until", number(until));
        // A refusal means that another request has taken the shell over.
        self.transact(vec![Write::delete(&self.studio, key::conversation(user, id), unchanged)]).await?;
        Ok(())
    }

    /// Deletes the messages and references of these revisions. False when `deadline` came first.
    async fn delete_revisions(
        &self,
        user: UserId,
        id: &ConversationId,
        revisions: &[&Revision],
        deadline: Millis,
    ) -> Result<bool> {
        if revisions.is_empty() {
            return Ok(true);
        }
        self.delete_where(user, id, deadline, |item| is_of(item, revisions)).await
    }

    /// Deletes the items in a conversation's partition for which `is_obsolete` is true, except the conversation's own
    /// item. False when `deadline` came first.
    async fn delete_where(
        &self,
        user: UserId,
        id: &ConversationId,
        deadline: Millis,
        is_obsolete: impl Fn(&Item) -> bool,
    ) -> Result<bool> {
        let partition = key::conversation_partition(user, id);
        let range = KeyRange::new(&self.studio, partition, key::MESSAGE, key::AFTER_CONVERSATION);
        let mut after = None;
        loop {
            let page = self.query_page(&range, after, Some(PAGE)).await?;
            let obsolete = page.items.iter().filter(|item| is_obsolete(item));
            let keys = obsolete.map(|item| key::within_conversation(user, id, sort_key(item))).collect();
            self.delete_batches(keys, deadline).await?;
            match page.next {
                Some(_) if clock::now() >= deadline => return Ok(false),
                Some(next) => after = Some(next),
                None => return Ok(true),
            }
        }
    }

    /// Deletes the items of a deleted conversation, as its tombstone names them, and lets the tombstone expire a day
    /// later. Items of a conversation that was imported under the same id meanwhile are kept. False when `deadline`
    /// came first.
    pub(in crate::store) async fn delete_leftovers(
        &self,
        user: UserId,
        id: &ConversationId,
        tombstone: &Tombstone,
        deadline: Millis,
    ) -> Result<bool> {
        if tombstone.expires_at.is_some() {
            return Ok(true);
        }
        if let Some(reply) = tombstone.running {
            self.orphan_reply(user, id, reply, clock::now()).await?;
        }
        if !self
            .delete_where(user, id, deadline, |item| tombstone.owns(item) && !item.contains_key(ORPHANED))
            .await?
        {
            return Ok(false);
        }
        let expires_at = number(clock::now().plus_seconds(TOMBSTONE_SECONDS).seconds());
        let cleaned =
            Expression::default().set("expires_at", expires_at).when_equal("kind", text("tombstone"));
        let cleaned =
            cleaned.when_absent("expires_at").when_equal("next_number", number(tombstone.next_number));
        self.transact(vec![Write::update(&self.studio, key::conversation(user, id), cleaned)]).await?;
        Ok(true)
    }
}

/// Whether an item belongs to one of these revisions.
fn is_of(item: &Item, revisions: &[&Revision]) -> bool {
    let own = item.get("rev").and_then(|rev| rev.as_s().ok()).map(String::as_str);
    let revision = own.or_else(|| key::revision_of_reference(sort_key(item)));
    revision.is_some_and(|revision| revisions.iter().any(|it| it.as_str() == revision))
}
