//! Importing conversations, with all their branches: creating a conversation, or adding the messages that it lacks.

use std::collections::HashMap;

use super::tree::{ImportedMessage, Order};
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

/// How many messages of a new conversation are written at first. The others are added part by part, so that a
/// conversation of any length can be imported.
const MOST_AT_FIRST: usize = 2_000;

/// A conversation to import.
#[derive(Clone, Debug)]
pub struct ImportedConversation {
    /// Everything but the messages.
    pub summary: Summary,
    /// The messages, each with the id of the message that it follows.
    pub messages: Vec<(Message, Option<MessageId>)>,
    /// The last message of the current branch. If it is absent or unknown, the last of all messages is taken.
    pub current: Option<MessageId>,
}

/// The outcome of importing one conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// The conversation did not exist and was created.
    Created,
    /// The conversation existed, and missing messages were added.
    Completed,
    /// The conversation existed with all imported messages. Nothing changed, even if their contents differ.
    Unchanged,
    /// The deadline came first. What was imported so far is stored; repeating the import continues.
    Partial,
}

impl Store {
    /// Imports a conversation: creates it, or adds the messages that it lacks. Importing the same conversation again
    /// changes nothing. A conversation that was deleted is created again. Large conversations may be incomplete at
    /// `deadline`.
    ///
    /// # Errors
    /// [`Code::Invalid`] when a message follows an unknown one or two messages have the same id; [`Code::ReplyRunning`]
    /// when messages are missing and a reply is being made; [`Code::Conflict`] when the conversation was changed on all
    /// attempts.
    pub async fn import_conversation(
        &self,
        user: UserId,
        imported: &ImportedConversation,
        deadline: Millis,
    ) -> Result<ImportOutcome> {
        let mut cleanup = None;
        let outcome = self.try_import(user, imported, deadline, &mut cleanup).await?;
        if let Some(intent) = cleanup {
            self.run_cleanup(user, &intent).await;
        }
        Ok(outcome)
    }

    async fn try_import(
        &self,
        user: UserId,
        imported: &ImportedConversation,
        deadline: Millis,
        cleanup: &mut Option<CleanupIntent>,
    ) -> Result<ImportOutcome> {
        let (id, mut created) = (&imported.summary.id, false);
        let mut attempts = retry::WHOLE_CONVERSATION.attempts();
        while attempts.next().await {
            match self.find_slot(user, id).await? {
                ConversationSlot::Conversation(_) => {
                    if let Some(outcome) = self.import_missing(user, imported, created, deadline).await? {
                        return Ok(outcome);
                    }
                }
                ConversationSlot::Tombstone(tombstone) => {
                    if !self.delete_leftovers(user, id, &tombstone, deadline).await? {
                        return Ok(ImportOutcome::Partial);
                    }
                    *cleanup = Some(self.replace_tombstone_by_shell(user, id).await?);
                }
                ConversationSlot::Absent | ConversationSlot::Shell(_) => {
                    match self.create_imported(user, imported).await {
                        Ok(true) => return Ok(ImportOutcome::Created),
                        Ok(false) => created = true,
                        // Another request has just created it.
                        Err(error) if error.code() == Code::ConversationExists => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Err(kept_changing())
    }

    /// Adds the messages that the existing conversation lacks. `created` says that this import has created it. `None`
    /// if the version is stale; the caller retries.
    async fn import_missing(
        &self,
        user: UserId,
        imported: &ImportedConversation,
        created: bool,
        deadline: Millis,
    ) -> Result<Option<ImportOutcome>> {
        let stored = self.find_stored_conversation(user, &imported.summary.id, TextsRead::Beginnings).await?;
        let Some(stored) = stored else { return Ok(None) };
        let outcome = self.add_missing_messages(user, stored, imported, deadline).await?;
        Ok(outcome.map(|outcome| match outcome {
            ImportOutcome::Unchanged | ImportOutcome::Completed if created => ImportOutcome::Created,
            other => other,
        }))
    }

    /// Creates a conversation with the first messages of an import. Returns whether these are all messages.
    async fn create_imported(&self, user: UserId, imported: &ImportedConversation) -> Result<bool> {
        let ImportedConversation { summary, messages, current } = imported;
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

    /// Replaces a tombstone by a shell. The conversation's items must already be deleted. The shell keeps
    /// `next_number`, so new messages have higher numbers than the old ones. A cleanup that still deletes old messages
    /// therefore cannot delete new ones.
    async fn replace_tombstone_by_shell(&self, user: UserId, id: &ConversationId) -> Result<CleanupIntent> {
        let intent = CleanupIntent::new(id, Vec::new(), clock::now());
        let shell = Expression::default()
            .set("kind", text("shell"))
            .set("writing_until", number(intent.until()))
            .remove("expires_at")
            .remove("revision")
            .when_equal("kind", text("tombstone"))
            .when_exists("expires_at");
        let shell = Write::update(&self.studio, key::conversation(user, id), shell);
        self.transact(vec![shell, self.cleanup_intent_write(user, &intent)?]).await?;
        Ok(intent)
    }
}

/// The messages of `imported` that are not `known`, in an order in which parents come first, and the message that
/// becomes the last of the current branch.
pub(in crate::store) fn missing_messages(
    imported: &ImportedConversation,
    known: impl Fn(&MessageId) -> bool,
) -> Result<(Vec<&ImportedMessage>, Option<MessageId>)> {
    let missing: Vec<&ImportedMessage> =
        imported.messages.iter().filter(|(message, _)| !known(&message.id)).collect();
    let last = missing.last().map(|(message, _)| &message.id);
    let is_there = |id: &&MessageId| known(id) || missing.iter().any(|(message, _)| message.id == **id);
    let current = imported.current.as_ref().filter(is_there).or(last);
    let order = Order::new(&missing, current, &known)?;
    let ordered = order.places.iter().filter_map(|place| missing.get(*place)).copied().collect();
    Ok((ordered, current.cloned()))
}
