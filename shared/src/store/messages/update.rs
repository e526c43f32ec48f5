//! Single messages: another text for one, one less.

use super::append::{ShownMessage, no_message};
use crate::domain::conversation::preview;
use crate::domain::statistics::Tally;
use crate::domain::{
    Content, ConversationId, Expected, MessageId, Millis, ModelName, Role, TokenCount, UserId, Version,
};
use crate::error::{Error, Result};
use crate::retry;
use crate::store::conversations::create::{kept_changing, reply_running};
use crate::store::conversations::item::ConversationItem;
use crate::store::conversations::message_item::{StoredMessage, stored_message};
use crate::store::conversations::version::check_version;
use crate::store::dynamo::{Expression, KeyRange, Write, number, packed, text};
use crate::store::{Store, key};

/// One transaction moves so many messages that hang on one that goes.
const MOST_CHILDREN: usize = 80;

/// What is to change of a message; the rest stays.
#[derive(Clone, Debug, Default)]
pub struct MessageUpdate {
    /// What is said.
    pub content: Option<Content>,
    /// How many tokens it took; `Some(None)` takes it away.
    pub tokens: Option<Option<TokenCount>>,
    /// The AI model, of a reply; `Some(None)` takes it away.
    pub model: Option<Option<ModelName>>,
}

impl Store {
    /// Changes a message in its place.
    ///
    /// # Errors
    /// [`crate::error::Code::NotFound`]; [`crate::error::Code::PreconditionFailed`]; [`crate::error::Code::ReplyRunning`] for a reply that is being made;
    /// [`crate::error::Code::Conflict`].
    ///
    /// [`crate::error::Code::NotFound`]: crate::error::Code::NotFound
    /// [`crate::error::Code::PreconditionFailed`]: crate::error::Code::PreconditionFailed
    /// [`crate::error::Code::ReplyRunning`]: crate::error::Code::ReplyRunning
    /// [`crate::error::Code::Conflict`]: crate::error::Code::Conflict
    pub async fn revise_message(
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
            let (seen, old) = self.message_to_change(user, id, message, expected).await?;
            if let Some(content) = revised.content.as_ref().filter(|_| old.message.role != Role::Assistant) {
                content.check_said().map_err(|rule| Error::invalid_field("content", rule.to_string()))?;
            }
            let mut new = old.message.clone();
            new.content = revised.content.clone().unwrap_or(new.content);
            new.tokens = revised.tokens.unwrap_or(new.tokens);
            new.model = revised.model.clone().unwrap_or(new.model);
            let is_last = seen.leaf == Some(old.number);
            let changed = touched(&seen, now).set_or_keep("preview", is_last.then(|| text(preview(&new))));
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
                let version = Version::new(seen.version + 1, seen.revision.as_str());
                return Ok((ShownMessage { message: new, parent_id }, version));
            }
        }
        Err(kept_changing())
    }

    /// Deletes one message. What follows it follows the one before it from then on.
    ///
    /// # Errors
    /// As [`Self::revise_message`]; [`crate::error::Code::Invalid`] when more than 80 messages follow it.
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
            let (seen, old) = self.message_to_change(user, id, message, expected).await?;
            let children = self.children_of(user, &seen, &old).await?;
            if children.len() > MOST_CHILDREN {
                return Err(Error::invalid(format!("More than {MOST_CHILDREN} messages follow this one")));
            }
            let mut changed = touched(&seen, now);
            if seen.shows(old.number) {
                changed = changed.set("message_count", number(seen.message_count.saturating_sub(1)));
            }
            if seen.leaf == Some(old.number) {
                let before = match old.parent {
                    Some(parent) => self.find_message_at(user, &seen, parent).await?,
                    None => None,
                };
                changed = changed
                    .set_or_remove("leaf", old.parent.map(number))
                    .set_or_remove("preview", before.map(|before| text(preview(&before.message))));
            }
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
                return Ok(Version::new(seen.version + 1, seen.revision.as_str()));
            }
        }
        Err(kept_changing())
    }

    async fn message_to_change(
        &self,
        user: UserId,
        id: &ConversationId,
        message: &MessageId,
        expected: &Expected,
    ) -> Result<(ConversationItem, StoredMessage)> {
        let (seen, old) = self.find_message_in_latest(user, id, message).await?;
        let old = old.ok_or_else(no_message)?;
        check_version(expected, &seen.version())?;
        if seen.running == Some(old.number) {
            return Err(reply_running());
        }
        Ok((seen, old))
    }

    /// The numbers of the messages that follow this one at once.
    async fn children_of(
        &self,
        user: UserId,
        seen: &ConversationItem,
        parent: &StoredMessage,
    ) -> Result<Vec<u64>> {
        let partition = key::conversation_partition(user, &seen.id);
        let first = key::message(user, &seen.id, parent.number + 1).sk;
        let stretch = KeyRange::new(&self.studio, partition, &first, key::AFTER_MESSAGES);
        // Without branches, it can only be the next one.
        let limit = seen.branch.is_none().then_some(1);
        let (mut children, mut after) = (Vec::new(), None);
        loop {
            let page = self.query_page(&stretch, after, limit).await?;
            for message in page.items {
                let Some(stored) = stored_message(message)?.filter(|stored| seen.owns(stored)) else {
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

/// How the conversation's own item changes with one of its messages.
fn touched(seen: &ConversationItem, now: Millis) -> Expression {
    Expression::default()
        .set("updated_at", number(now.get()))
        .set("updated", text(key::place_in_list(now, &seen.id)))
        .add("version", 1)
        .when_equal("version", number(seen.version))
        .when_equal("kind", text("conversation"))
}
