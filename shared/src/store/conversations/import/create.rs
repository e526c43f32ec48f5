//! Conversations that come from elsewhere, or back: all of one, or what is missing of it, branches included.

use std::collections::HashMap;

use super::tree::{Following, Order};
use crate::clock;
use crate::domain::statistics::Tally;
use crate::domain::{Conversation, ConversationId, Message, MessageId, Millis, Summary, UserId};
use crate::error::{Code, Result};
use crate::retry;
use crate::store::conversations::cleanup::CleanupIntent;
use crate::store::conversations::create::{fits_one_transaction, kept_changing};
use crate::store::conversations::slot::ConversationSlot;
use crate::store::conversations::staged::Draft;
use crate::store::conversations::whole::TextsRead;
use crate::store::dynamo::{Expression, Write, number, text};
use crate::store::{Store, key};

/// Of a conversation that is not there yet, so many messages are written at first; the others one part after another, so
/// that there is no end to what is imported.
const MOST_AT_FIRST: usize = 2_000;

/// A conversation that comes from elsewhere.
#[derive(Clone, Debug)]
pub struct Imported {
    /// All but the messages.
    pub summary: Summary,
    /// Each with the id of the one it follows.
    pub messages: Vec<(Message, Option<MessageId>)>,
    /// The last message of the current branch. Without it, or when it is not there, the last of all.
    pub current: Option<MessageId>,
}

/// What an import did to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// It was not there.
    Created,
    /// Some of its messages were not there.
    Completed,
    /// It was there with all its messages; nothing changed, whatever they say.
    Unchanged,
    /// Time was over. What is there already counts: the same again goes on.
    Partial,
}

impl Store {
    /// Stores what is missing of a conversation: all of it, or some of its messages, or nothing, so that the same import
    /// again changes nothing. What was deleted comes back. Of a large one, only a part may be there at `deadline`.
    ///
    /// # Errors
    /// [`Code::Invalid`] when a message follows one that is nowhere, or two have the same id; [`Code::ReplyRunning`];
    /// [`Code::Conflict`].
    pub async fn import_conversation(
        &self,
        user: UserId,
        imported: &Imported,
        deadline: Millis,
    ) -> Result<ImportOutcome> {
        let mut revived = None;
        let outcome = self.try_import(user, imported, deadline, &mut revived).await?;
        if let Some(note) = revived {
            self.run_cleanup(user, &note).await;
        }
        Ok(outcome)
    }

    async fn try_import(
        &self,
        user: UserId,
        imported: &Imported,
        deadline: Millis,
        revived: &mut Option<CleanupIntent>,
    ) -> Result<ImportOutcome> {
        let (id, mut created) = (&imported.summary.id, false);
        let mut attempts = retry::WHOLE_CONVERSATION.attempts();
        while attempts.next().await {
            match self.standing(user, id).await? {
                ConversationSlot::Conversation(_) => {
                    let Some(stored) = self.find_stored_conversation(user, id, TextsRead::Beginnings).await?
                    else {
                        continue;
                    };
                    match self.complete(user, stored, imported, deadline).await? {
                        Some(ImportOutcome::Unchanged | ImportOutcome::Completed) if created => {
                            return Ok(ImportOutcome::Created);
                        }
                        Some(outcome) => return Ok(outcome),
                        None => {}
                    }
                }
                ConversationSlot::Tombstone(buried) => {
                    if !self.sweep(user, id, &buried, deadline).await? {
                        return Ok(ImportOutcome::Partial);
                    }
                    *revived = Some(self.revive(user, id).await?);
                }
                ConversationSlot::Absent | ConversationSlot::Shell(_) => {
                    match self.create_imported(user, imported).await {
                        Ok(true) => return Ok(ImportOutcome::Created),
                        Ok(false) => created = true,
                        // Somebody else has just done so.
                        Err(error) if error.code() == Code::ConversationExists => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Err(kept_changing())
    }

    /// Creates a conversation with as many of its messages as can be written at once; whether that is all of them.
    async fn create_imported(&self, user: UserId, imported: &Imported) -> Result<bool> {
        let Imported { summary, messages, current } = imported;
        let order = Order::new(messages, current.as_ref(), |_| false)?;
        let first = order.places.get(..MOST_AT_FIRST).unwrap_or(&order.places);
        let line = order.line.min(first.len());
        let new_places: HashMap<&MessageId, usize> = first
            .iter()
            .enumerate()
            .filter_map(|(new, old)| messages.get(*old).map(|(message, _)| (&message.id, new)))
            .collect();
        let placed = first.iter().filter_map(|place| messages.get(*place));
        let mut placed = placed.map(|(message, parent)| {
            (message.clone(), parent.as_ref().and_then(|parent| new_places.get(parent).copied()))
        });
        let line: Vec<Message> = placed.by_ref().take(line).map(|(message, _)| message).collect();
        self.create_tree(user, summary, line, placed.collect()).await?;
        Ok(first.len() == messages.len())
    }

    async fn create_tree(
        &self,
        user: UserId,
        summary: &Summary,
        line: Vec<Message>,
        others: Vec<(Message, Option<usize>)>,
    ) -> Result<()> {
        let mut change = Tally::default();
        change.count_conversation(summary, 1);
        change.count_messages(line.iter().chain(others.iter().map(|(message, _)| message)), 1);
        if others.is_empty() && fits_one_transaction(&line, &change) {
            let conversation = Conversation { summary: summary.clone(), messages: line };
            self.create_conversation(user, &conversation, None).await?;
            return Ok(());
        }
        self.account_conversation(line.len() + others.len()).await?;
        self.create_draft(user, summary, Draft::new(&line, others), &change, None).await?;
        Ok(())
    }

    /// Puts a shell in the place of the tombstone of what was swept. It hands out higher numbers than the old messages had:
    /// whoever still sweeps those takes none of the new ones for them.
    async fn revive(&self, user: UserId, id: &ConversationId) -> Result<CleanupIntent> {
        let note = CleanupIntent::new(id, Vec::new(), clock::now());
        let shell = Expression::default()
            .set("kind", text("shell"))
            .set("writing_until", number(note.until()))
            .remove("expires_at")
            .remove("revision")
            .when_equal("kind", text("tombstone"))
            .when_exists("expires_at");
        let shell = Write::update(&self.studio, key::conversation(user, id), shell);
        self.transact(vec![shell, self.note_write(user, &note)?]).await?;
        Ok(note)
    }
}

/// The messages of `imported` that `known` has not, in order, and which one is to be the last of the current branch.
pub(in crate::store) fn missing(
    imported: &Imported,
    known: impl Fn(&MessageId) -> bool,
) -> Result<(Vec<&Following>, Option<MessageId>)> {
    let missing: Vec<&Following> =
        imported.messages.iter().filter(|(message, _)| !known(&message.id)).collect();
    let last = missing.last().map(|(message, _)| &message.id);
    let is_there = |id: &&MessageId| known(id) || missing.iter().any(|(message, _)| message.id == **id);
    let current = imported.current.as_ref().filter(is_there).or(last);
    let order = Order::new(&missing, current, &known)?;
    let ordered = order.places.iter().filter_map(|place| missing.get(*place)).copied().collect();
    Ok((ordered, current.cloned()))
}
