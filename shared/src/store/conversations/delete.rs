//! Deleting conversations: gone for every reader and every counter at once, their items soon after.

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

/// Conversations that are deleted at once.
const AT_ONCE: usize = 4;
/// Conversations that are looked at in one request.
const PAGE: i32 = 100;

/// How a conversation was buried, or not.
enum TombstoneOutcome {
    Done(CleanupIntent),
    Changed,
}

impl Store {
    /// Deletes a conversation. One transaction takes it out of every list and statistic and leaves a tombstone, which
    /// stays for a day after its items went; those go at once, or, when that takes too long or dies, with whatever the
    /// user deletes next. Deleting it again finishes it, too.
    ///
    /// # Errors
    /// [`Code::NotFound`] when there is none (any more); [`Code::PreconditionFailed`].
    pub async fn delete_conversation(
        &self,
        user: UserId,
        id: &ConversationId,
        expected: &Expected,
    ) -> Result<()> {
        let mut attempts = retry::WHOLE_CONVERSATION.attempts();
        while attempts.next().await {
            match self.standing(user, id).await? {
                ConversationSlot::Conversation(item) => {
                    check_version(expected, &item.version())?;
                    if let TombstoneOutcome::Done(note) = self.write_tombstone(user, &item).await? {
                        self.run_cleanup(user, &note).await;
                        return Ok(());
                    }
                }
                ConversationSlot::Tombstone(buried) => {
                    if let Err(error) = self.sweep(user, id, &buried, soon()).await {
                        tracing::warn!(?error, "what is left of a deleted conversation stays for now");
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

    /// Deletes all of these conversations, until `deadline`: how many of the first were looked at, and how many of
    /// those were there.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn delete_conversations(
        &self,
        user: UserId,
        ids: &[ConversationId],
        deadline: Millis,
    ) -> Result<(usize, usize)> {
        let (mut looked_at, mut deleted) = (0, 0);
        for ids in ids.chunks(AT_ONCE) {
            if clock::now() >= deadline {
                break;
            }
            let there = try_join_all(ids.iter().map(|id| self.delete_one(user, id))).await?;
            looked_at += there.len();
            deleted += there.into_iter().filter(|there| *there).count();
        }
        Ok((looked_at, deleted))
    }

    /// Deletes all conversations of `user` until `deadline`: how many, and whether nothing is left. Called again, it goes
    /// on, so that any number is deleted in the end. An account whose statistics are gone already is not counted for.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn delete_all_conversations(&self, user: UserId, deadline: Millis) -> Result<(usize, bool)> {
        let mut deleted = 0;
        loop {
            let before = deleted;
            let mut after = None;
            loop {
                let page = self.list_conversations(user, after.as_ref(), PAGE).await?;
                let ids: Vec<ConversationId> = page.iter().map(|listed| listed.id.clone()).collect();
                let (looked_at, there) = self.delete_conversations(user, &ids, deadline).await?;
                deleted += there;
                if looked_at < ids.len() {
                    return Ok((deleted, false));
                }
                match page.into_iter().last() {
                    Some(last) => after = Some(last.place),
                    None => break,
                }
            }
            // The list lags behind; what it still names and is gone does not count.
            if deleted == before {
                return Ok((deleted, self.finish_unfinished(user, deadline).await?));
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

    /// Puts a tombstone in the conversation's place.
    async fn write_tombstone(&self, user: UserId, item: &ConversationItem) -> Result<TombstoneOutcome> {
        let mut change = self.tally_of(user, item).await?;
        change.count_conversation(&item.summary(), -1);
        let note = CleanupIntent::new(&item.id, Vec::new(), clock::now());
        let counts = self.count(user, &change);
        if self.transact(self.burial(user, item, &note, counts)?).await?.is_committed() {
            self.count_far_days(user, &change).await?;
            return Ok(TombstoneOutcome::Done(note));
        }
        // Of an account that is being deleted, nothing is counted any more.
        let gone = Expression::default().when_absent("pk");
        let uncounted = vec![Write::check(&self.studio, key::statistics(user), gone)];
        if self.transact(self.burial(user, item, &note, uncounted)?).await?.is_committed() {
            return Ok(TombstoneOutcome::Done(note));
        }
        Ok(TombstoneOutcome::Changed)
    }

    fn burial(
        &self,
        user: UserId,
        item: &ConversationItem,
        note: &CleanupIntent,
        counts: Vec<Write>,
    ) -> Result<Vec<Write>> {
        let tombstone = item_at(key::conversation(user, &item.id), "tombstone", &Tombstone::of(item))?;
        let unchanged = Expression::default()
            .when_equal("version", number(item.version))
            .when_equal("next_number", number(item.next_number))
            .when_equal("kind", text("conversation"));
        let mut writes =
            vec![Write::replace(&self.studio, tombstone, unchanged), self.note_write(user, note)?];
        writes.extend(counts);
        writes.push(self.count_conversations(-1));
        Ok(writes)
    }

    /// What the messages of a conversation amount to, counted out. They are read a page at a time, so there may be more
    /// than memory holds.
    async fn tally_of(&self, user: UserId, item: &ConversationItem) -> Result<Tally> {
        let partition = key::conversation_partition(user, &item.id);
        let stretch = KeyRange::new(&self.studio, partition, key::MESSAGE, key::AFTER_MESSAGES);
        let mut change = Tally::default();
        self.query_each(&stretch, |message| {
            let stored = stored_message(message)?.filter(|stored| item.owns(stored));
            change.count_messages(stored.iter().map(|stored| &stored.message), -1);
            Ok(())
        })
        .await?;
        Ok(change)
    }
}
