//! What takes more than one transaction is noted first, so that whoever comes later finishes it, should its process
//! die: items that no reader sees are deleted. Counters are never a part of this.

use serde::{Deserialize, Serialize};

use super::item::Revision;
use super::slot::{ConversationSlot, Tombstone};
use crate::clock;
use crate::domain::{ConversationId, Millis, UserId};
use crate::error::Result;
use crate::store::dynamo::{
    Expression, Item, KeyRange, Write, failed, from_item, item_at, number, sort_key, text,
};
use crate::store::{Store, key};

/// A function lives no longer than 29 s, so what was noted before that is left to whoever finds it.
const LIFE_SECONDS: u64 = 60;
/// How long somebody may write before a reader sees it, and then tidy up: the gateway waits for 29 s.
const WRITING_SECONDS: u64 = 20;
const TIDYING_SECONDS: u64 = 23;
/// Items that are looked at between two looks at the clock.
const PAGE: usize = 1000;
/// How long it is remembered that a conversation was deleted, so that a late message does not bring it back.
const REMEMBERED_SECONDS: u64 = 86_400;

/// The attribute of a reply whose conversation was deleted while the reply was being made. The item stays after the cleanup,
/// until its usage is settled or its TTL is over.
pub(in crate::store) const ORPHANED: &str = "orphaned";

/// By when a request that nobody waits for any longer should be answered.
pub(in crate::store) fn soon() -> Millis {
    clock::now().plus_seconds(10)
}

/// Somebody writes or deletes many items of a conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::store) struct CleanupIntent {
    token: String,
    conversation: ConversationId,
    /// All but the current one of these are to be deleted; all of what there is, when the conversation was deleted.
    revisions: Vec<Revision>,
    until: u64,
}

impl CleanupIntent {
    /// The note for whoever writes one of these revisions, or deletes a conversation.
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

    /// By when what readers are to see has to be written.
    pub(in crate::store) fn written_by(&self) -> Millis {
        Millis::default().plus_seconds(self.until + WRITING_SECONDS - LIFE_SECONDS)
    }

    /// When whoever noted it cannot be at work any more.
    pub(in crate::store) fn ends_at(&self) -> Millis {
        Millis::default().plus_seconds(self.until)
    }

    /// In which conversation it is.
    pub(in crate::store) fn conversation(&self) -> &ConversationId {
        &self.conversation
    }
}

impl Store {
    /// Notes that something is begun.
    pub(in crate::store) async fn note(&self, user: UserId, note: &CleanupIntent) -> Result<()> {
        let item = item_at(key::unfinished(user, &note.token), "unfinished", note)?;
        self.put(&self.studio, item).await
    }

    /// The same as a part of a transaction.
    pub(in crate::store) fn note_write(&self, user: UserId, note: &CleanupIntent) -> Result<Write> {
        Ok(Write::put(&self.studio, item_at(key::unfinished(user, &note.token), "unfinished", note)?))
    }

    /// Finishes what others began in conversations of `user` and died over, until `deadline`. Costs one request when
    /// there is nothing. Says whether nothing is left, but for what somebody may still be doing.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn finish_unfinished(&self, user: UserId, deadline: Millis) -> Result<bool> {
        let noted = self.unfinished(user).await?;
        for note in &noted {
            let now = clock::now();
            if now >= deadline {
                return Ok(false);
            }
            let alone = noted.iter().filter(|other| other.conversation == note.conversation).count() == 1;
            if note.until < now.seconds() && !self.finish(user, note, alone, deadline).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What was noted and is not finished.
    pub(in crate::store) async fn unfinished(&self, user: UserId) -> Result<Vec<CleanupIntent>> {
        let (from, to) = (key::UNFINISHED, key::AFTER_UNFINISHED);
        let noted = self.query(&KeyRange::new(&self.studio, key::user_partition(user), from, to)).await?;
        noted.into_iter().map(from_item).collect()
    }

    /// Deletes what no reader sees of what was just noted and done, as far as there is time. What is left, or goes wrong, is
    /// for whoever comes later; it is no failure of what was done.
    pub(in crate::store) async fn run_cleanup(&self, user: UserId, note: &CleanupIntent) {
        let deadline = Millis::default().plus_seconds(note.until + TIDYING_SECONDS - LIFE_SECONDS);
        if let Err(error) = self.finish(user, note, false, deadline).await {
            tracing::warn!(?error, "what no reader sees is left for later");
        }
    }

    /// The same with what others died over, for somebody who came for something else.
    pub(in crate::store) async fn run_pending_cleanups(&self, user: UserId) {
        if let Err(error) = self.finish_unfinished(user, soon()).await {
            tracing::warn!(?error, "what no reader sees is left for later");
        }
    }

    /// Deletes what no reader sees of what was noted, and then the note. False when `deadline` came first: then whoever
    /// comes later goes on. `alone`: nobody else noted anything about this conversation.
    pub(in crate::store) async fn finish(
        &self,
        user: UserId,
        note: &CleanupIntent,
        alone: bool,
        deadline: Millis,
    ) -> Result<bool> {
        let id = &note.conversation;
        let all: Vec<&Revision> = note.revisions.iter().collect();
        let done = match self.standing(user, id).await? {
            ConversationSlot::Absent => self.delete_revisions(user, id, &all, deadline).await?,
            ConversationSlot::Tombstone(buried) => {
                self.delete_revisions(user, id, &all, deadline).await?
                    && self.sweep(user, id, &buried, deadline).await?
            }
            ConversationSlot::Conversation(item) => {
                let dead: Vec<&Revision> = note.revisions.iter().filter(|it| **it != item.revision).collect();
                self.delete_revisions(user, id, &dead, deadline).await?
            }
            ConversationSlot::Shell(until) => {
                let done = self.delete_revisions(user, id, &all, deadline).await?;
                if let Some(until) = until.filter(|until| done && alone && *until <= note.until) {
                    self.delete_shell(user, id, until).await?;
                }
                done
            }
        };
        if !done {
            return Ok(false);
        }
        let gone = key::unfinished(user, &note.token).attributes();
        let request = self.client.delete_item().table_name(&self.studio).set_key(Some(gone));
        request.send().await.map_err(failed)?;
        Ok(true)
    }

    /// Takes away the place of a large conversation that is not being created any more.
    pub(in crate::store) async fn delete_shell(
        &self,
        user: UserId,
        id: &ConversationId,
        until: u64,
    ) -> Result<()> {
        let dead = Expression::default()
            .when_equal("kind", text("shell"))
            .when_equal("writing_until", number(until));
        // Refused means that somebody has taken it over.
        self.transact(vec![Write::delete(&self.studio, key::conversation(user, id), dead)]).await?;
        Ok(())
    }

    /// Deletes the messages and references of these revisions.
    async fn delete_revisions(
        &self,
        user: UserId,
        id: &ConversationId,
        dead: &[&Revision],
        deadline: Millis,
    ) -> Result<bool> {
        if dead.is_empty() {
            return Ok(true);
        }
        self.delete_where(user, id, deadline, |item| is_of(item, dead)).await
    }

    /// Deletes what `is_gone` of all that stands behind a conversation's own item. False when `deadline` came first.
    async fn delete_where(
        &self,
        user: UserId,
        id: &ConversationId,
        deadline: Millis,
        is_gone: impl Fn(&Item) -> bool,
    ) -> Result<bool> {
        let partition = key::conversation_partition(user, id);
        let stretch = KeyRange::new(&self.studio, partition, key::MESSAGE, key::AFTER_CONVERSATION);
        let mut after = None;
        loop {
            let page = self.query_page(&stretch, after, Some(PAGE)).await?;
            let gone = page.items.iter().filter(|item| is_gone(item));
            let keys = gone.map(|item| key::within_conversation(user, id, sort_key(item))).collect();
            self.delete_batches(keys, deadline).await?;
            match page.next {
                Some(_) if clock::now() >= deadline => return Ok(false),
                Some(next) => after = Some(next),
                None => return Ok(true),
            }
        }
    }

    /// Deletes all that is left of a buried conversation, and lets its tombstone go a day later. What has come into its
    /// place meanwhile stays.
    pub(in crate::store) async fn sweep(
        &self,
        user: UserId,
        id: &ConversationId,
        buried: &Tombstone,
        deadline: Millis,
    ) -> Result<bool> {
        if buried.expires_at.is_some() {
            return Ok(true);
        }
        if let Some(reply) = buried.running {
            self.orphan_reply(user, id, reply, clock::now()).await?;
        }
        if !self
            .delete_where(user, id, deadline, |item| buried.owns(item) && !item.contains_key(ORPHANED))
            .await?
        {
            return Ok(false);
        }
        let gone = number(clock::now().plus_seconds(REMEMBERED_SECONDS).seconds());
        let swept = Expression::default().set("expires_at", gone).when_equal("kind", text("tombstone"));
        let swept = swept.when_absent("expires_at").when_equal("next_number", number(buried.next_number));
        self.transact(vec![Write::update(&self.studio, key::conversation(user, id), swept)]).await?;
        Ok(true)
    }
}

/// Whether an item belongs to one of these revisions.
fn is_of(item: &Item, revisions: &[&Revision]) -> bool {
    let own = item.get("rev").and_then(|rev| rev.as_s().ok()).map(String::as_str);
    let revision = own.or_else(|| key::revision_of_reference(sort_key(item)));
    revision.is_some_and(|revision| revisions.iter().any(|it| it.as_str() == revision))
}
