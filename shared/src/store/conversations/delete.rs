//! Deleting conversations. One transaction replaces the conversation by a tombstone, so it disappears for all readers
//! and from all counters at once. Its items are deleted afterwards.

use futures_util::future::try_join_all;

use super::cleanup::{CleanupIntent, soon};
use super::create::kept_changing;
use super::item::ConversationItem;
use super::message_item::stored_message;
use super::slot::{ConversationSlot, Tombstone};
use crate::clock;
use crate::domain::statistics::Tally;
use crate::domain::{ConversationId, Expected, Millis, UserId};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::conversations::version::check_version;
use crate::store::dynamo::{Expression, KeyRange, Write, item_at, number, text};
use crate::store::{Store, key};

/// How many conversations are deleted at the same time.
const AT_ONCE: usize = 4;
/// How many conversations one request lists.
const PAGE: i32 = 100;

/// The outcome of replacing a conversation by a tombstone.
enum TombstoneOutcome {
    /// The tombstone was written, together with this intent.
    Written(CleanupIntent),
    /// The version is stale; the caller retries.
    Changed,
}

impl Store {
    /// Deletes a conversation. One transaction removes it from all lists and statistics and leaves a tombstone. Then
    /// its items are deleted; if that takes too long or the process dies, the next request of the user that deletes a
    /// conversation continues. Deleting the same conversation again continues, too. The tombstone expires a day after
    /// the items were deleted.
    ///
    /// # Errors
    /// [`Code::NotFound`] when there is no such conversation, also when it was deleted before;
    /// [`Code::PreconditionFailed`]; [`Code::Conflict`] when it was changed on all attempts.
    pub async fn delete_conversation(
        &self,
        user: UserId,
        id: &ConversationId,
        expected: &Expected,
    ) -> Result<()> {
        let mut attempts = retry::WHOLE_CONVERSATION.attempts();
        while attempts.next().await {
            match self.find_slot(user, id).await? {
                ConversationSlot::Conversation(item) => {
                    check_version(expected, &item.version())?;
                    if let TombstoneOutcome::Written(intent) = self.write_tombstone(user, &item).await? {
                        self.run_cleanup(user, &intent).await;
                        return Ok(());
                    }
                }
                ConversationSlot::Tombstone(tombstone) => {
                    if let Err(error) = self.delete_leftovers(user, id, &tombstone, soon()).await {
                        tracing::warn!(
                            ?error,
                            "cannot delete the items of a deleted conversation; a later request continues"
                        );
                    }
                    return Err(Error::no_conversation());
                }
                ConversationSlot::Absent | ConversationSlot::Shell(_) => {
                    self.run_pending_cleanups(user).await;
                    return Err(Error::no_conversation());
                }
            }
        }
        Err(kept_changing())
    }

    /// Deletes these conversations in order, until `deadline`. Returns how many of them were processed, and how many of
    /// those existed.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn delete_conversations(
        &self,
        user: UserId,
        ids: &[ConversationId],
        deadline: Millis,
    ) -> Result<(usize, usize)> {
        let (mut processed, mut deleted) = (0, 0);
        for ids in ids.chunks(AT_ONCE) {
            if clock::now() >= deadline {
                break;
            }
            let existed = try_join_all(ids.iter().map(|id| self.delete_one(user, id))).await?;
            processed += existed.len();
            deleted += existed.into_iter().filter(|existed| *existed).count();
        }
        Ok((processed, deleted))
    }

    /// Deletes all conversations of `user`, until `deadline`. Returns how many were deleted, and whether nothing is
    /// left. Calling it again continues, so any number of conversations can be deleted.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn delete_all_conversations(&self, user: UserId, deadline: Millis) -> Result<(usize, bool)> {
        let mut deleted = 0;
        loop {
            let before = deleted;
            let mut after = None;
            loop {
                let page = self.list_conversations(user, after.as_ref(), PAGE).await?;
                let ids: Vec<ConversationId> = page.iter().map(|listed| listed.id.clone()).collect();
                let (processed, deleted_now) = self.delete_conversations(user, &ids, deadline).await?;
                deleted += deleted_now;
                if processed < ids.len() {
                    return Ok((deleted, false));
                }
                match page.into_iter().last() {
                    Some(last) => after = Some(last.place),
                    None => break,
                }
            }
            // The index lags behind the table, so it may still list deleted conversations. A pass that deleted nothing
            // is the last one.
            if deleted == before {
                return Ok((deleted, self.finish_cleanups(user, deadline).await?));
            }
        }
    }

    async fn delete_one(&self, user: UserId, id: &ConversationId) -> Result<bool> {
        match self.delete_conversation(user, id, &Expected::Anything).await {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Code::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Replaces a conversation by a tombstone and subtracts it from all counters.
    async fn write_tombstone(&self, user: UserId, item: &ConversationItem) -> Result<TombstoneOutcome> {
        let mut change = self.tally_of(user, item).await?;
        change.count_conversation(&item.summary(), -1);
        let intent = CleanupIntent::new(&item.id, Vec::new(), clock::now());
        let counts = self.count(user, &change);
        if self.transact(self.tombstone_writes(user, item, &intent, counts)?).await?.is_committed() {
            self.count_far_days(user, &change).await?;
            return Ok(TombstoneOutcome::Written(intent));
        }
        // The statistics of an account that is being deleted are gone, so nothing is counted.
        let account_gone = Expression::default().when_absent("pk");
        let uncounted = vec![Write::check(&self.studio, key::statistics(user), account_gone)];
        if self.transact(self.tombstone_writes(user, item, &intent, uncounted)?).await?.is_committed() {
            return Ok(TombstoneOutcome::Written(intent));
        }
        Ok(TombstoneOutcome::Changed)
    }

    fn tombstone_writes(
        &self,
        user: UserId,
        item: &ConversationItem,
        intent: &CleanupIntent,
        counts: Vec<Write>,
    ) -> Result<Vec<Write>> {
        let tombstone = item_at(key::conversation(user, &item.id), "tombstone", &Tombstone::of(item))?;
        let unchanged = Expression::default()
            .when_equal("version", number(item.version))
            .when_equal("next_number", number(item.next_number))
            .when_equal("kind", text("conversation"));
        let mut writes = vec![
            Write::replace(&self.studio, tombstone, unchanged),
            self.cleanup_intent_write(user, intent)?,
        ];
        writes.extend(counts);
        writes.push(self.count_conversations(-1));
        Ok(writes)
    }

    /// How the counters change when all messages of a conversation are deleted. The messages are read page by page,
    /// because they may be larger than memory.
    async fn tally_of(&self, user: UserId, item: &ConversationItem) -> Result<Tally> {
        let partition = key::conversation_partition(user, &item.id);
        let range = KeyRange::new(&self.studio, partition, key::MESSAGE, key::AFTER_MESSAGES);
        let mut change = Tally::default();
        self.query_each(&range, |message| {
            let stored = stored_message(message)?.filter(|stored| item.owns(stored));
            change.count_messages(stored.iter().map(|stored| &stored.message), -1);
            Ok(())
        })
        .await?;
        Ok(change)
    }
}
