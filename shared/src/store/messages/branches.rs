//! Branches of a conversation: selecting the current one, and copying one.

use std::collections::{HashMap, HashSet};

use crate::domain::conversations::conversation::preview;
use crate::domain::{
    Branch, Conversation, ConversationId, Expected, Message, MessageId, Millis, ReplyStatus, UserId, Version,
};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::retry;
use crate::store::conversations::create::{kept_changing, reply_running};
use crate::store::conversations::message_item::StoredMessage;
use crate::store::conversations::slot::StoredConversation;
use crate::store::conversations::version::check_version;
use crate::store::conversations::whole::TextsRead;
use crate::store::dynamo::{Expression, Write, number, text};
use crate::store::{Store, key};

impl Store {
    /// Makes the branch of a message the current one: the messages that lead to it, the message itself, and after it
    /// always the newest of the messages that follow.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::PreconditionFailed`]; [`Code::Invalid`] when the message does not exist;
    /// [`Code::Conflict`] when the conversation was changed on all attempts.
    pub async fn select_branch(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &MessageId,
        expected: &Expected,
    ) -> Result<Version> {
        let mut attempts = retry::WHOLE_CONVERSATION.attempts();
        while attempts.next().await {
            let stored = self.get_stable_conversation(user, id, TextsRead::Beginnings).await?;
            check_version(expected, &stored.item.version())?;
            let selected = stored.messages.iter().find(|stored| stored.message.id == *message);
            let selected = selected.ok_or_else(|| {
                Error::invalid_field("currentMessageId", "must be the id of a message of this conversation")
            })?;
            let leaf = newest_below(&stored, selected);
            let line = stored.line_to(leaf);
            let on_it: HashSet<u64> = line.iter().map(|it| it.number).collect();
            let branch = Branch::of(stored.messages.iter().map(|it| (it.number, on_it.contains(&it.number))));
            let branch = (line.len() < stored.messages.len()).then(|| text(branch.to_string()));
            let change = Expression::default()
                .set("leaf", number(leaf.number))
                .set("message_count", number(line.len()))
                .set("preview", text(preview(&leaf.message)))
                .set_or_remove("branch", branch)
                .add("version", 1)
                .when_equal("version", number(stored.item.version))
                .when_equal("kind", text("conversation"));
            let write = Write::update(&self.studio, key::conversation(user, id), change);
            if self.transact(vec![write]).await?.is_committed() {
                return Ok(Version::new(stored.item.version + 1, stored.item.revision.as_str()));
            }
        }
        Err(kept_changing())
    }

    /// Gets a copy, under the id `copy`, of the conversation `id` up to a message: the messages that lead to it, and
    /// the message itself. Nothing is stored.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Invalid`] when the message does not exist; [`Code::ReplyRunning`] when the message
    /// is, or follows, a reply that is being made.
    pub async fn get_copy_up_to(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &MessageId,
        copy: ConversationId,
        now: Millis,
    ) -> Result<Conversation> {
        let stored = self.get_stable_conversation(user, id, TextsRead::Whole).await?;
        let last = stored.messages.iter().find(|stored| stored.message.id == *message);
        let last = last.ok_or_else(|| {
            Error::invalid_field("messageId", "must be the id of a message of this conversation")
        })?;
        let messages: Vec<Message> =
            stored.line_to(last).into_iter().map(|stored| stored.message.clone()).collect();
        if messages.iter().any(|message| message.status.is_some_and(|status: ReplyStatus| !status.is_end())) {
            return Err(reply_running());
        }
        let mut summary = stored.item.summary();
        (summary.id, summary.created_at, summary.updated_at) = (copy, now, now);
        (summary.filing.pinned, summary.filing.archived) = (false, false);
        Ok(Conversation { summary, messages })
    }
}

/// The last message of the branch that is reached from `from` by always taking the newest of the messages that follow.
fn newest_below<'a>(stored: &'a StoredConversation, from: &'a StoredMessage) -> &'a StoredMessage {
    let mut newest: HashMap<u64, &StoredMessage> = HashMap::new();
    for message in &stored.messages {
        // Messages are in the order of their numbers, so the newest one overwrites the others.
        newest.extend(message.parent.map(|parent| (parent, message)));
    }
    let mut leaf = from;
    while let Some(next) = newest.get(&leaf.number) {
        leaf = next;
    }
    leaf
}
