//! Staged writes, for conversations that are too large for one transaction. The messages are written first, under a new
//! revision that readers ignore. Then one transaction makes that revision the current one and updates all counters, so
//! readers see the whole change or nothing. If the process dies before that transaction, a cleanup intent names the new
//! revision, and a later request of the user deletes its items.

use aws_sdk_dynamodb::types::ReturnValue;

use super::cleanup::CleanupIntent;
use super::create::{reference_item, summary_expression};
use super::filing::{filing_expression, set_flag};
use super::item::Revision;
use super::message_item::StoredMessage;
use super::slot::StoredConversation;
use crate::clock;
use crate::domain::conversations::conversation::preview;
use crate::domain::statistics::Tally;
use crate::domain::{Branch, Conversation, ConversationId, Message, Once, Summary, UserId, Version};
use crate::error::{Error, Result};
use crate::store::dynamo::{Expression, Item, Write, integer, number, text};
use crate::store::idempotency::Creation;
use crate::store::{Store, key};

/// The most messages that can be staged before the HTTP API times out: a partition accepts a thousand writes a second,
/// and each message takes two.
const MOST_MESSAGES: usize = 10_000;

/// A new revision of a conversation that readers do not see yet.
pub(in crate::store) struct Draft {
    revision: Revision,
    /// The number of the first message.
    first: u64,
    pub(in crate::store) messages: Vec<StoredMessage>,
    /// How many messages, from the first, are on the current branch.
    shown: u64,
}

impl Draft {
    /// Creates a draft with the current branch `line`, followed by `others` on other branches. Each entry of `others`
    /// is (message, parent index). The index counts `line` followed by `others`; a parent comes before its child.
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

    /// Refuses a draft that is too large to be written in time. `rule` is the text of the error.
    fn check(&self, rule: String) -> Result<()> {
        if self.messages.len() > MOST_MESSAGES {
            return Err(Error::invalid_field("messages", rule));
        }
        Ok(())
    }

    /// This draft with the numbers of its messages beginning at `first`.
    fn numbered_from(mut self, first: u64) -> Self {
        self.first = first;
        for stored in &mut self.messages {
            stored.number += first;
            stored.parent = stored.parent.map(|parent| parent + first);
        }
        self
    }

    /// The update of the conversation's own item that makes this draft the current revision.
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

    /// The items of all messages and references, built one by one, because all items together take many times the
    /// memory of the texts.
    fn items(&self, user: UserId, id: &ConversationId) -> impl Iterator<Item = Result<Item>> {
        self.messages.iter().flat_map(move |stored| {
            let reference = reference_item(user, id, &self.revision, &stored.message.id, stored.number);
            [stored.item(user, id).map(Some), reference].into_iter().filter_map(Result::transpose)
        })
    }
}

impl Store {
    /// Creates a conversation that is too large for one transaction. `change` is how the counters change. See
    /// [`Store::create_conversation`].
    pub(in crate::store) async fn create_large_conversation(
        &self,
        user: UserId,
        conversation: &Conversation,
        change: &Tally,
        once: Option<&Once>,
    ) -> Result<Creation<Version>> {
        let draft = Draft::new(&conversation.messages, Vec::new());
        draft.check(format!("must have at most {MOST_MESSAGES} messages; append or import the others"))?;
        self.create_draft(user, &conversation.summary, draft, change, once).await
    }

    /// Creates a conversation with the messages of `draft`. `change` is how the counters change.
    pub(in crate::store) async fn create_draft(
        &self,
        user: UserId,
        summary: &Summary,
        draft: Draft,
        change: &Tally,
        once: Option<&Once>,
    ) -> Result<Creation<Version>> {
        self.check_quota(user, change).await?;
        let intent = CleanupIntent::new(&summary.id, vec![draft.revision.clone()], clock::now());
        // The shell reserves the place and hands out message numbers, so that two requests that create the same
        // conversation do not overwrite each other's messages.
        let shell = Expression::default()
            .set("kind", text("shell"))
            .set("writing_until", number(intent.until()))
            .when_absent_or_equal("kind", text("shell"));
        self.put_cleanup_intent(user, &intent).await?;
        let mut version = None;
        if let Some(draft) = self.write_draft(user, &intent, draft, shell).await? {
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
                version = Some(Version::new(1, draft.revision.as_str()));
            } else {
                // Another request may have taken the shell over; then this does nothing.
                self.delete_shell(user, &summary.id, intent.until()).await?;
            }
        }
        self.run_cleanup(user, &intent).await;
        match version {
            Some(version) => Ok(Creation::New(version)),
            None => self.earlier_or_refusal(user, once, &self.find_slot(user, &summary.id).await?).await,
        }
    }

    /// Makes `draft` the current revision of `stored`, with `summary`. `change` is how the counters change. `None` if
    /// the version is stale; the caller retries.
    pub(in crate::store) async fn replace_revision(
        &self,
        user: UserId,
        stored: &StoredConversation,
        summary: &Summary,
        draft: Draft,
        change: &Tally,
    ) -> Result<Option<Version>> {
        draft.check(format!(
            "in a conversation of more than {MOST_MESSAGES} messages, at most 40 can be appended, changed or removed at once"
        ))?;
        self.check_quota(user, change).await?;
        let (id, old) = (&stored.item.id, &stored.item);
        let unchanged = || Expression::default().when_equal("version", number(old.version));
        let intent = CleanupIntent::new(id, vec![draft.revision.clone(), old.revision.clone()], clock::now());
        self.put_cleanup_intent(user, &intent).await?;
        let mut version = None;
        if let Some(draft) = self.write_draft(user, &intent, draft, unchanged()).await? {
            let current = draft.current(summary_expression(user, summary));
            let current = set_flag(current, "shown_in_part", old.shown_in_part);
            let current = current.when_equal("version", number(old.version));
            let mut writes = vec![Write::update(&self.studio, key::conversation(user, id), current)];
            writes.extend(self.count(user, change));
            if self.transact(writes).await?.is_committed() {
                self.count_far_days(user, change).await?;
                version = Some(Version::new(old.version + 1, draft.revision.as_str()));
            }
        }
        self.run_cleanup(user, &intent).await;
        Ok(version)
    }

    /// Reserves message numbers for a draft, if the conditions of `expression` hold, and writes its items. `None` when
    /// a condition failed.
    async fn write_draft(
        &self,
        user: UserId,
        intent: &CleanupIntent,
        draft: Draft,
        expression: Expression,
    ) -> Result<Option<Draft>> {
        let id = intent.conversation();
        let count = i64::try_from(draft.messages.len()).unwrap_or(i64::MAX);
        let expression = expression.add("next_number", count);
        let updated = self.update(key::conversation(user, id), &expression, ReturnValue::UpdatedNew).await?;
        let first = updated.and_then(|item| u64::try_from(integer(&item, "next_number") - count).ok());
        let Some(first) = first else { return Ok(None) };
        let draft = draft.numbered_from(first);
        self.put_batches(draft.items(user, id), intent.written_by()).await?;
        Ok(Some(draft))
    }
}
