//! Replacing the current branch of a conversation. Only the differences are written if one transaction can hold them;
//! otherwise a new revision is staged.

use std::collections::{HashMap, HashSet};

use super::create::{kept_changing, reply_running, summary_expression};
use super::diff::Edits;
use super::filing::set_flag;
use super::message_item::StoredMessage;
use super::slot::StoredConversation;
use super::staged::Draft;
use super::whole::TextsRead;
use crate::domain::conversations::conversation::preview;
use crate::domain::statistics::Tally;
use crate::domain::{Conversation, ConversationId, Expected, Message, MessageId, Millis, UserId, Version};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::retry;
use crate::store::conversations::version::check_version;
use crate::store::dynamo::{Expression, Write, number, text};
use crate::store::{Store, key};

/// The new content of a stored conversation.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The new conversation. Fields that the client omitted and that keep their stored values have placeholders.
    pub conversation: Conversation,
    /// Whether the stored creation time is kept.
    pub keeps_created_at: bool,
    /// Whether the stored AI model is kept.
    pub keeps_model: bool,
    /// The messages whose stored times are kept.
    pub keeps_timestamps: HashSet<MessageId>,
}

impl Store {
    /// Replaces the current branch of a conversation, all or nothing to readers. Other branches and the filing are
    /// kept. A message whose id stays keeps its number. A running reply is not changed; new messages come after it.
    /// Returns what is stored.
    ///
    /// An answer contains the newest messages of a conversation, up to `shown_bytes`. If the stored conversation is
    /// longer, its messages before the oldest one that the replacement contains are kept, because the client may never
    /// have seen them.
    ///
    /// # Errors
    /// [`Code::Invalid`] when the stored conversation is longer than `shown_bytes` and the replacement contains none of
    /// its messages; [`Code::NotFound`]; [`Code::PreconditionFailed`]; [`Code::ReplyRunning`] when the order of
    /// messages changes while a reply is being made; [`Code::Conflict`] when the conversation was changed on all
    /// attempts.
    pub async fn replace_conversation(
        &self,
        user: UserId,
        replacement: &Replacement,
        expected: &Expected,
        shown_bytes: usize,
        now: Millis,
    ) -> Result<(Conversation, Version)> {
        let id = &replacement.conversation.summary.id;
        let mut attempts = retry::WHOLE_CONVERSATION.attempts();
        while attempts.next().await {
            let stored = self.find_stored_conversation(user, id, TextsRead::Whole).await?;
            let mut stored = stored.ok_or_else(Error::no_conversation)?;
            check_version(expected, &stored.item.version())?;
            if let Some(number) = stored.item.running
                && self.end_abandoned_reply(user, &stored.item.id, number, now).await?
            {
                continue;
            }
            let mut new = replacement.applied_to(&mut stored, shown_bytes)?;
            let running = stored.running_reply();
            if let Some((version, appended)) = self.try_replace(user, &stored, &new, running).await? {
                let place = new.messages.len() - appended;
                let shown = running.filter(|running| stored.item.shows(running.number));
                new.messages.splice(place..place, shown.map(|running| running.message.clone()));
                return Ok((new, version));
            }
        }
        Err(kept_changing())
    }

    /// Tries to write the replacement once. Returns the new version and how many messages were appended; `None` if the
    /// version is stale; the caller retries.
    async fn try_replace(
        &self,
        user: UserId,
        stored: &StoredConversation,
        new: &Conversation,
        running: Option<&StoredMessage>,
    ) -> Result<Option<(Version, usize)>> {
        let Some(edits) =
            Edits::new(stored, &new.messages, running).filter(|it| it.fits_one_transaction(stored, new))
        else {
            if running.is_some() {
                return Err(reply_running());
            }
            let (draft, change) = rewritten(stored, new);
            // The messages of other branches are written again, too.
            self.account_messages(draft.messages.len() as u64).await?;
            let version = self.replace_revision(user, stored, &new.summary, draft, &change).await?;
            return Ok(version.map(|version| (version, 0)));
        };
        let appended = edits.appended.len();
        if edits.is_empty() && stored.item.summary() == new.summary {
            return Ok(Some((stored.item.version(), appended)));
        }
        let version = self.write_edits(user, stored, new, &edits).await?;
        Ok(version.map(|version| (version, appended)))
    }

    async fn write_edits(
        &self,
        user: UserId,
        stored: &StoredConversation,
        new: &Conversation,
        edits: &Edits<'_>,
    ) -> Result<Option<Version>> {
        let (id, old) = (&stored.item.id, &stored.item);
        let change = edits.change(stored, new);
        let line = edits.line(old.next_number);
        let conversation = edited_conversation(user, stored, new, edits, &line);
        let mut writes = vec![Write::update(&self.studio, key::conversation(user, id), conversation)];
        for changed in &edits.changed {
            writes.push(changed.put(&self.studio, user, id)?);
        }
        for (moved, parent) in &edits.moved {
            let parent = Expression::default().set_or_remove("after", parent.map(number)).when_exists("pk");
            writes.push(Write::update(&self.studio, key::message(user, id, *moved), parent));
        }
        for removed in &edits.removed {
            writes.extend(self.message_deletion(user, id, removed));
        }
        let parent =
            line.len().checked_sub(edits.appended.len() + 1).and_then(|last| line.get(last)).copied();
        writes.extend(self.new_messages(user, old, edits.appended, old.next_number, parent)?);
        writes.extend(self.count(user, &change));
        if !self.transact(writes).await?.is_committed() {
            return Ok(None);
        }
        self.count_far_days(user, &change).await?;
        Ok(Some(Version::new(old.version + 1, old.revision.as_str())))
    }

    /// The writes that delete a message and the reference to it.
    pub(in crate::store) fn message_deletion(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &StoredMessage,
    ) -> [Write; 2] {
        let any = Expression::default();
        let reference = key::reference(user, id, message.revision.as_str(), &message.message.id);
        [
            Write::delete(
                &self.studio,
                key::message(user, id, message.number),
                any.clone().when_exists("pk"),
            ),
            Write::delete(&self.studio, reference, any),
        ]
    }
}

/// The update of the conversation's own item that makes `edits`. `line` are the numbers of the current branch after
/// them.
fn edited_conversation(
    user: UserId,
    stored: &StoredConversation,
    new: &Conversation,
    edits: &Edits<'_>,
    line: &[u64],
) -> Expression {
    let old = &stored.item;
    let branch = old.branch.as_ref().and_then(|_| edits.branch(stored, line));
    set_flag(summary_expression(user, &new.summary), "shown_in_part", old.shown_in_part)
        .set("message_count", number(line.len()))
        .set("next_number", number(old.next_number + edits.appended.len() as u64))
        .set_or_remove("leaf", line.last().map(number))
        .set_or_remove("branch", branch.map(|branch| text(branch.to_string())))
        .set_or_remove("preview", edits.last_message().map(|last| text(preview(last))))
        .add("version", 1)
        .when_equal("version", number(old.version))
        .when_equal("next_number", number(old.next_number))
}

/// The messages at the beginning of the current branch that are kept because the client that sends `new` may not have
/// seen them. After the first such `PUT` (`shown_in_part`), every later `PUT` keeps unseen messages, because the same
/// client may send it.
fn unseen_messages(stored: &StoredConversation, new: &[Message], shown_bytes: usize) -> Result<Vec<Message>> {
    let line: Vec<&Message> = stored.on_branch().map(|stored| &stored.message).collect();
    let sent: HashSet<&MessageId> = new.iter().map(|message| &message.id).collect();
    let oldest = line.iter().position(|message| sent.contains(&message.id));
    if line.is_empty() || oldest == Some(0) {
        return Ok(Vec::new());
    }
    let first = |count: usize| line.iter().take(count).copied().cloned().collect();
    let messages: usize = line.iter().map(|message| message.answer_length()).sum();
    let bytes = stored.item.summary().answer_length() + messages;
    if !stored.item.shown_in_part && bytes <= shown_bytes {
        return Ok(Vec::new());
    }
    let rule = "must contain one of the stored messages: this conversation is too long to be read in one answer. To \
        remove all messages, delete the conversation";
    oldest.map(first).ok_or_else(|| Error::invalid_field("messages", rule))
}

/// The draft of a new revision in which `new` is the current branch, and the change of the counters. Messages of other
/// branches are kept. Removed messages are left out, and messages that followed a removed one follow its nearest kept
/// ancestor.
fn rewritten(stored: &StoredConversation, new: &Conversation) -> (Draft, Tally) {
    let mut places: HashMap<&MessageId, usize> =
        new.messages.iter().enumerate().map(|(place, message)| (&message.id, place)).collect();
    let by_number: HashMap<u64, &StoredMessage> =
        stored.messages.iter().map(|message| (message.number, message)).collect();
    let mut change = Tally::default();
    change.count_conversation(&stored.item.summary(), -1);
    change.count_conversation(&new.summary, 1);
    change.count_messages(&new.messages, 1);
    let mut others = Vec::new();
    for message in &stored.messages {
        let is_other = !stored.item.shows(message.number) && !places.contains_key(&message.message.id);
        if !is_other {
            change.count_message(&message.message, -1);
            continue;
        }
        let mut parent = message.parent.and_then(|parent| by_number.get(&parent));
        while let Some(removed) = parent.filter(|parent| !places.contains_key(&parent.message.id)) {
            parent = removed.parent.and_then(|parent| by_number.get(&parent));
        }
        let parent = parent.and_then(|parent| places.get(&parent.message.id)).copied();
        places.insert(&message.message.id, new.messages.len() + others.len());
        others.push((message.message.clone(), parent));
    }
    (Draft::new(&new.messages, others), change)
}

impl Replacement {
    /// The conversation to store, without the running reply. If messages that the client may not have seen are kept,
    /// this is recorded in `stored`.
    fn applied_to(&self, stored: &mut StoredConversation, shown_bytes: usize) -> Result<Conversation> {
        let mut new = self.keeping(stored);
        let kept = unseen_messages(stored, &new.messages, shown_bytes)?;
        stored.item.shown_in_part |= !kept.is_empty();
        new.messages.splice(..0, kept);
        if let Some(running) = stored.running_reply() {
            new.messages.retain(|message| message.id != running.message.id);
        }
        Ok(new)
    }

    /// The new conversation with the values of the stored one that are kept. The status of a stored reply is always
    /// kept, whatever the client sends.
    fn keeping(&self, stored: &StoredConversation) -> Conversation {
        let mut new = self.conversation.clone();
        let before = stored.item.summary();
        new.summary.filing = before.filing;
        if self.keeps_created_at {
            new.summary.created_at = before.created_at;
        }
        if self.keeps_model {
            new.summary.model = before.model;
        }
        let messages: HashMap<&MessageId, &Message> =
            stored.messages.iter().map(|stored| (&stored.message.id, &stored.message)).collect();
        for message in &mut new.messages {
            let Some(before) = messages.get(&message.id) else { continue };
            message.status = before.status;
            if self.keeps_timestamps.contains(&message.id) {
                message.timestamp = before.timestamp;
            }
        }
        new
    }
}
