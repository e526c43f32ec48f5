//! Conversations too large for one transaction. Their messages are written first, under a revision of their own that
//! no reader follows; then one transaction makes that revision the current one, with all counters. So they are all or
//! nothing to readers.

use aws_sdk_dynamodb::types::ReturnValue;

use super::cleanup::CleanupIntent;
use super::create::{reference_item, summary_expression};
use super::filing::{filing_expression, set_flag};
use super::item::Revision;
use super::message_item::StoredMessage;
use super::slot::StoredConversation;
use crate::clock;
use crate::domain::conversation::preview;
use crate::domain::statistics::Tally;
use crate::domain::{Branch, Conversation, ConversationId, Message, Once, Summary, UserId, Version};
use crate::error::{Error, Result};
use crate::store::dynamo::{Expression, Item, Write, integer, number, text};
use crate::store::idempotency::Creation;
use crate::store::{Store, key};

/// As many messages as DynamoDB surely takes in one partition before the HTTP API gives up waiting: a thousand writes a
/// second, two for each.
const MOST_MESSAGES: usize = 10_000;

/// A revision that is written before anybody follows it.
pub(in crate::store) struct Draft {
    revision: Revision,
    /// The number of its first message.
    first: u64,
    pub(in crate::store) messages: Vec<StoredMessage>,
    /// How many of them, the first ones, are the current branch.
    shown: u64,
}

impl Draft {
    /// `line` in a line, and behind them `others` on other branches, with the place of the message they follow
    /// among all of them, which is before their own.
    pub(in crate::store) fn new(line: &[Message], others: Vec<(Message, Option<usize>)>) -> Self {
        let revision = Revision::random();
        let places = line.iter().enumerate().map(|(place, message)| (message.clone(), place.checked_sub(1)));
        let messages = places.chain(others).zip(0..).map(|((message, parent), number)| StoredMessage {
            number,
            revision: revision.clone(),
            parent: parent.map(|place| place as u64),
            message,
        });
        let messages = messages.collect();
        Self { revision, first: 0, messages, shown: line.len() as u64 }
    }

    /// Refuses, with this rule, what cannot be written in time.
    fn check(&self, rule: String) -> Result<()> {
        if self.messages.len() > MOST_MESSAGES {
            return Err(Error::invalid_field("messages", rule));
        }
        Ok(())
    }

    /// The same with numbers from `first`.
    fn numbered_from(mut self, first: u64) -> Self {
        self.first = first;
        for stored in &mut self.messages {
            stored.number += first;
            stored.parent = stored.parent.map(|parent| parent + first);
        }
        self
    }

    /// How the conversation's own item changes when this becomes its current revision.
    fn current(&self, expression: Expression) -> Expression {
        let last = self.shown.checked_sub(1).and_then(|last| usize::try_from(last).ok());
        let leaf = last.and_then(|last| self.messages.get(last));
        let has_others = self.messages.len() as u64 > self.shown;
        let branch = has_others.then(|| Branch::default().followed_by(self.first, self.shown));
        expression
            .set("kind", text("conversation"))
            .set("revision", text(self.revision.as_str()))
            .set("message_count", number(self.shown))
            .set_or_remove("leaf", leaf.map(|leaf| number(leaf.number)))
            .set_or_remove("branch", branch.map(|branch| text(branch.to_string())))
            .set_or_remove("preview", leaf.map(|leaf| text(preview(&leaf.message))))
            .remove("writing_until")
            .add("version", 1)
    }

    /// The items of all messages, made one by one: together they take many times the memory of what they say.
    fn items(&self, user: UserId, id: &ConversationId) -> impl Iterator<Item = Result<Item>> {
        self.messages.iter().flat_map(move |stored| {
            let reference = reference_item(user, id, &self.revision, &stored.message.id, stored.number);
            [stored.item(user, id).map(Some), reference].into_iter().filter_map(Result::transpose)
        })
    }
}

impl Store {
    /// See [`Store::create_conversation`]. Counts `change`.
    pub(in crate::store) async fn create_large_conversation(
        &self,
        user: UserId,
        conversation: &Conversation,
        change: &Tally,
        once: Option<&Once>,
    ) -> Result<Creation<Version>> {
        let draft = Draft::new(&conversation.messages, Vec::new());
        draft.check(format!("must be at most {MOST_MESSAGES}; append the others, or import them"))?;
        self.create_draft(user, &conversation.summary, draft, change, once).await
    }

    /// Stores a conversation that must not be there, with the messages of `draft`. Counts `change`.
    pub(in crate::store) async fn create_draft(
        &self,
        user: UserId,
        summary: &Summary,
        draft: Draft,
        change: &Tally,
        once: Option<&Once>,
    ) -> Result<Creation<Version>> {
        self.check_quota(user, change).await?;
        let note = CleanupIntent::new(&summary.id, vec![draft.revision.clone()], clock::now());
        // The shell holds the place and hands out numbers, so that two at once do not write over each other.
        let shell = Expression::default()
            .set("kind", text("shell"))
            .set("writing_until", number(note.until()))
            .when_absent_or_equal("kind", text("shell"));
        self.note(user, &note).await?;
        let mut made = None;
        if let Some(draft) = self.write_draft(user, &note, draft, shell).await? {
            let current = filing_expression(summary_expression(user, summary), &summary.filing);
            let current = draft.current(current).when_equal("kind", text("shell"));
            let mut writes = vec![Write::update(&self.studio, key::conversation(user, &summary.id), current)];
            writes.extend(self.count(user, change));
            writes.push(self.count_conversations(1));
            if let Some(once) = once {
                writes.push(self.remember(user, once, summary.id.as_str())?);
            }
            if self.transact(writes).await?.is_committed() {
                self.count_far_days(user, change).await?;
                made = Some(Version::new(1, draft.revision.as_str()));
            } else {
                // Unless another one has taken it over.
                self.delete_shell(user, &summary.id, note.until()).await?;
            }
        }
        self.run_cleanup(user, &note).await;
        match made {
            Some(version) => Ok(Creation::Now(version)),
            None => self.created_before(user, once, &self.standing(user, &summary.id).await?).await,
        }
    }

    /// Makes `draft` the current revision of `stored`, with `summary`, and counts `change`. None when the conversation
    /// changed meanwhile.
    pub(in crate::store) async fn replace_revision(
        &self,
        user: UserId,
        stored: &StoredConversation,
        summary: &Summary,
        draft: Draft,
        change: &Tally,
    ) -> Result<Option<Version>> {
        draft.check(format!(
            "of a conversation of more than {MOST_MESSAGES}, at most 40 can be appended, changed or removed at once"
        ))?;
        self.check_quota(user, change).await?;
        let (id, seen) = (&stored.item.id, &stored.item);
        let unchanged = || Expression::default().when_equal("version", number(seen.version));
        let note = CleanupIntent::new(id, vec![draft.revision.clone(), seen.revision.clone()], clock::now());
        self.note(user, &note).await?;
        let mut made = None;
        if let Some(draft) = self.write_draft(user, &note, draft, unchanged()).await? {
            let current = draft.current(summary_expression(user, summary));
            let current = set_flag(current, "shown_in_part", seen.shown_in_part);
            let current = current.when_equal("version", number(seen.version));
            let mut writes = vec![Write::update(&self.studio, key::conversation(user, id), current)];
            writes.extend(self.count(user, change));
            if self.transact(writes).await?.is_committed() {
                self.count_far_days(user, change).await?;
                made = Some(Version::new(seen.version + 1, draft.revision.as_str()));
            }
        }
        self.run_cleanup(user, &note).await;
        Ok(made)
    }

    /// Writes a draft under numbers that the conversation hands out, if the conditions of `expression` hold.
    async fn write_draft(
        &self,
        user: UserId,
        note: &CleanupIntent,
        draft: Draft,
        expression: Expression,
    ) -> Result<Option<Draft>> {
        let id = note.conversation();
        let count = i64::try_from(draft.messages.len()).unwrap_or(i64::MAX);
        let expression = expression.add("next_number", count);
        let updated = self.update(key::conversation(user, id), &expression, ReturnValue::UpdatedNew).await?;
        let first = updated.and_then(|now| u64::try_from(integer(&now, "next_number") - count).ok());
        let Some(first) = first else { return Ok(None) };
        let draft = draft.numbered_from(first);
        self.put_batches(draft.items(user, id), note.written_by()).await?;
        Ok(Some(draft))
    }
}
