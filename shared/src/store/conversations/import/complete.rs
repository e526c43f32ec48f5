//! Adding missing messages to an existing conversation. The messages are added in parts. Each part is one transaction
//! with all counters, so readers see it at once, any number of messages can be added, and a repetition of an
//! interrupted import continues with the rest.

use std::collections::HashMap;

use super::create::{ImportOutcome, ImportedConversation, missing_messages};
use super::tree::ImportedMessage;
use crate::clock;
use crate::domain::conversations::conversation::preview;
use crate::domain::statistics::Tally;
use crate::domain::{Branch, Message, MessageId, Millis, UserId};
use crate::error::Result;
use crate::store::conversations::create::{fits_one_transaction, reply_running};
use crate::store::conversations::message_item::StoredMessage;
use crate::store::conversations::slot::StoredConversation;
use crate::store::conversations::whole::{TextsRead, reduce};
use crate::store::dynamo::{Expression, Write, number, text};
use crate::store::{Store, key};

/// The most messages of a part: each takes two writes, and the counters take some more.
const MOST_AT_ONCE: usize = 40;

impl Store {
    /// Adds the imported messages that `stored` does not have, until `deadline`. `None` if the version is stale; the
    /// caller retries.
    pub(in crate::store) async fn add_missing_messages(
        &self,
        user: UserId,
        mut stored: StoredConversation,
        imported: &ImportedConversation,
        deadline: Millis,
    ) -> Result<Option<ImportOutcome>> {
        let mut numbers: HashMap<MessageId, u64> =
            stored.messages.iter().map(|it| (it.message.id.clone(), it.number)).collect();
        let (to_add, current) = missing_messages(imported, |id| numbers.contains_key(id))?;
        if to_add.is_empty() {
            return Ok(Some(ImportOutcome::Unchanged));
        }
        if stored.item.running.is_some() {
            return Err(reply_running());
        }
        let mut left = to_add.as_slice();
        while !left.is_empty() {
            if clock::now() >= deadline {
                return Ok(Some(ImportOutcome::Partial));
            }
            let (part, rest) = left.split_at(count_fitting(left));
            if !self.add_part(user, &mut stored, &mut numbers, part, current.as_ref()).await? {
                return Ok(None);
            }
            left = rest;
        }
        Ok(Some(ImportOutcome::Completed))
    }

    /// Adds a part; false if the version is stale. The current branch becomes the one of the message `current` if that
    /// is stored by then, otherwise the one of the last message added.
    async fn add_part(
        &self,
        user: UserId,
        stored: &mut StoredConversation,
        numbers: &mut HashMap<MessageId, u64>,
        part: &[&ImportedMessage],
        current: Option<&MessageId>,
    ) -> Result<bool> {
        self.account_messages(part.len() as u64).await?;
        let (first, version) = (stored.item.next_number, stored.item.version);
        let mut change = Tally::default();
        let mut writes = Vec::with_capacity(part.len() * 2 + 8);
        for ((message, parent), number) in part.iter().copied().zip(first..) {
            let added = StoredMessage {
                number,
                revision: stored.item.revision.clone(),
                parent: parent.as_ref().and_then(|parent| numbers.get(parent).copied()),
                message: message.clone(),
            };
            writes.push(added.create(&self.studio, user, &stored.item.id)?);
            writes.extend(self.reference(user, &stored.item.id, &added.revision, &message.id, number)?);
            change.count_message(message, 1);
            numbers.insert(message.id.clone(), number);
            stored.messages.push(reduce(added, TextsRead::Beginnings));
        }
        let next = first + part.len() as u64;
        let leaf = current.and_then(|current| numbers.get(current).copied()).unwrap_or(next - 1);
        let update = current_branch_expression(stored, leaf)
            .set("next_number", number(next))
            .when_equal("version", number(version))
            .when_equal("next_number", number(first))
            .when_equal("kind", text("conversation"));
        writes.push(Write::update(&self.studio, key::conversation(user, &stored.item.id), update));
        writes.extend(self.count(user, &change));
        (stored.item.next_number, stored.item.version) = (next, version + 1);
        Ok(self.transact(writes).await?.is_committed())
    }
}

/// The update of the conversation's own item that makes the branch of message number `leaf` the current one.
fn current_branch_expression(stored: &StoredConversation, leaf: u64) -> Expression {
    let Some(leaf) = stored.messages.iter().find(|it| it.number == leaf) else {
        return Expression::default();
    };
    let line = stored.line_to(leaf);
    let mut on_it = line.iter().map(|it| it.number).peekable();
    // Both lists are in the order of the numbers.
    let marked = stored.messages.iter().map(|it| (it.number, on_it.next_if_eq(&it.number).is_some()));
    let branch = Branch::of(marked);
    let branch = (line.len() < stored.messages.len()).then(|| text(branch.to_string()));
    Expression::default()
        .set("leaf", number(leaf.number))
        .set("message_count", number(line.len()))
        .set("preview", text(preview(&leaf.message)))
        .set_or_remove("branch", branch)
        .add("version", 1)
}

/// How many of the first messages one transaction can add.
fn count_fitting(messages: &[&ImportedMessage]) -> usize {
    let some: Vec<Message> = messages.iter().take(MOST_AT_ONCE).map(|(message, _)| message.clone()).collect();
    let mut count = some.len();
    while count > 1 {
        let some = some.get(..count).unwrap_or_default();
        let mut change = Tally::default();
        change.count_messages(some, 1);
        if fits_one_transaction(some, &change) {
            break;
        }
        count /= 2;
    }
    count
}
