//! Changing and deleting single messages.

use super::append::{ShownMessage, no_message};
use crate::domain::conversations::conversation::preview;
use crate::domain::statistics::Tally;
use crate::domain::{
    Content, ConversationId, Expected, Message, MessageId, Millis, ModelName, TokenCount, UserId, Version,
};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::retry;
use crate::store::conversations::create::{kept_changing, reply_running};
use crate::store::conversations::item::ConversationItem;
use crate::store::conversations::message_item::{StoredMessage, stored_message};
use crate::store::conversations::version::check_version;
use crate::store::dynamo::{Expression, KeyRange, Write, number, packed, text};
use crate::store::{Store, key};

/// The most replies of a deleted message that one transaction can move to its parent.
const MOST_CHILDREN: usize = 80;

/// The changes of a message. `None` leaves a field unchanged.
#[derive(Clone, Debug, Default)]
pub struct MessageUpdate {
    /// The text.
    pub content: Option<Content>,
    /// How many tokens it has; `Some(None)` removes the number.
    pub tokens: Option<Option<TokenCount>>,
    /// The AI model that wrote it; `Some(None)` removes it.
    pub model: Option<Option<ModelName>>,
}

impl MessageUpdate {
    /// The message after this update.
    fn applied_to(&self, message: &Message) -> Result<Message> {
        let mut new = message.clone();
        if let Some(content) = self.content.clone() {
            let written = content.written_by(message.role);
            new.content = written.map_err(|rule| Error::invalid_field("content", rule.to_string()))?;
        }
        new.tokens = self.tokens.unwrap_or(new.tokens);
        new.model = self.model.clone().unwrap_or(new.model);
        Ok(new)
    }
}

impl Store {
    /// Changes a message. Its number and its branch stay.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::PreconditionFailed`]; [`Code::Invalid`] when the text is too long;
    /// [`Code::ReplyRunning`] for a reply that is being made; [`Code::Conflict`] when the conversation was changed on
    /// all attempts.
    pub async fn update_message(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &MessageId,
        revised: &MessageUpdate,
        expected: &Expected,
        now: Millis,
    ) -> Result<(ShownMessage, Version)> {
        let mut attempts = retry::CONVERSATION.attempts();
        while attempts.next().await {
            let (conversation, old) = self.message_to_change(user, id, message, expected).await?;
            let new = revised.applied_to(&old.message)?;
            let is_last = conversation.leaf == Some(old.number);
            let changed = touched_conversation(&conversation, now)
                .set_or_keep("preview", is_last.then(|| text(preview(&new))));
            let content = Expression::default()
                .set("text", packed(&new.content))
                .set_or_remove("tokens", new.tokens.map(|tokens| number(tokens.get())))
                .set_or_remove("model", new.model.as_ref().map(|model| text(model.as_str())))
                .when_equal("rev", text(old.revision.as_str()));
            let mut writes = vec![
                Write::update(&self.studio, key::conversation(user, id), changed),
                Write::update(&self.studio, key::message(user, id, old.number), content),
            ];
            let mut change = Tally::default();
            change.count_message(&old.message, -1);
            change.count_message(&new, 1);
            writes.extend(self.count(user, &change));
            if self.transact(writes).await?.is_committed() {
                let parent_id = old.parent.is_none().then_some(None);
                let version = Version::new(conversation.version + 1, conversation.revision.as_str());
                return Ok((ShownMessage { message: new, parent_id }, version));
            }
        }
        Err(kept_changing())
    }

    /// Deletes a message. Its replies move to its parent.
    ///
    /// # Errors
    /// As [`Self::update_message`]; [`Code::Invalid`] when more than 80 messages follow it.
    pub async fn delete_message(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &MessageId,
        expected: &Expected,
        now: Millis,
    ) -> Result<Version> {
        let mut attempts = retry::CONVERSATION.attempts();
        while attempts.next().await {
            let (conversation, old) = self.message_to_change(user, id, message, expected).await?;
            let children = self.children_of(user, &conversation, &old).await?;
            if children.len() > MOST_CHILDREN {
                let detail = format!("More than {MOST_CHILDREN} messages follow this message directly");
                return Err(Error::invalid(detail));
            }
            let changed = self.conversation_without(user, &conversation, &old, now).await?;
            let mut writes = vec![Write::update(&self.studio, key::conversation(user, id), changed)];
            writes.extend(self.message_deletion(user, id, &old));
            for child in children {
                let moved = Expression::default().set_or_remove("after", old.parent.map(number));
                let moved = moved.when_equal("rev", text(old.revision.as_str()));
                writes.push(Write::update(&self.studio, key::message(user, id, child), moved));
            }
            let mut change = Tally::default();
            change.count_message(&old.message, -1);
            writes.extend(self.count(user, &change));
            if self.transact(writes).await?.is_committed() {
                return Ok(Version::new(conversation.version + 1, conversation.revision.as_str()));
            }
        }
        Err(kept_changing())
    }

    /// The update of a conversation's own item that goes with the deletion of a message.
    async fn conversation_without(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        deleted: &StoredMessage,
        now: Millis,
    ) -> Result<Expression> {
        let mut changed = touched_conversation(conversation, now);
        if conversation.shows(deleted.number) {
            changed = changed.set("message_count", number(conversation.message_count.saturating_sub(1)));
        }
        if conversation.leaf != Some(deleted.number) {
            return Ok(changed);
        }
        let parent = match deleted.parent {
            Some(parent) => self.find_message_at(user, conversation, parent).await?,
            None => None,
        };
        Ok(changed
            .set_or_remove("leaf", deleted.parent.map(number))
            .set_or_remove("preview", parent.map(|parent| text(preview(&parent.message)))))
    }

    async fn message_to_change(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &MessageId,
        expected: &Expected,
    ) -> Result<(ConversationItem, StoredMessage)> {
        let (conversation, old) = self.find_message_in_latest(user, id, message).await?;
        let old = old.ok_or_else(no_message)?;
        check_version(expected, &conversation.version())?;
        if conversation.running == Some(old.number) {
            return Err(reply_running());
        }
        Ok((conversation, old))
    }

    /// The numbers of the messages that directly follow this one.
    async fn children_of(
        &self,
        user: UserId,
        conversation: &ConversationItem,
        parent: &StoredMessage,
    ) -> Result<Vec<u64>> {
        let partition = key::conversation_partition(user, &conversation.id);
        let first = key::message(user, &conversation.id, parent.number + 1).sk;
        let range = KeyRange::new(&self.studio, partition, &first, key::AFTER_MESSAGES);
        // Without branches, only the next message can follow.
        let limit = conversation.branch.is_none().then_some(1);
        let (mut children, mut after) = (Vec::new(), None);
        loop {
            let page = self.query_page(&range, after, limit).await?;
            for message in page.items {
                let Some(stored) = stored_message(message)?.filter(|stored| conversation.owns(stored)) else {
                    continue;
                };
                if stored.parent == Some(parent.number) {
                    children.push(stored.number);
                }
                if limit.is_some() {
                    return Ok(children);
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(children),
            }
        }
    }
}

/// The update of a conversation's own item that every change of one of its messages makes.
fn touched_conversation(conversation: &ConversationItem, now: Millis) -> Expression {
    Expression::default()
        .set("updated_at", number(now.get()))
        .set("updated", text(key::place_in_list(now, &conversation.id)))
        .add("version", 1)
        .when_equal("version", number(conversation.version))
        .when_equal("kind", text("conversation"))
}
