//! Regenerating a reply: another reply to the same message, on a new branch.

use super::item::ReplyItem;
use super::start::{Granted, Terms};
use crate::domain::statistics::Tally;
use crate::domain::{
    Content, ConversationId, Held, Message, MessageId, Millis, ModelName, ReplyPlace, ReplyStatus, Role,
    UserId,
};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::conversations::create::{kept_changing, reply_running};
use crate::store::conversations::item::ConversationItem;
use crate::store::conversations::message_item::StoredMessage;
use crate::store::dynamo::{Write, item_at};
use crate::store::{Store, key};

/// A request for another reply to the same message.
#[derive(Clone, Debug)]
pub struct Regeneration {
    /// The conversation.
    pub conversation: ConversationId,
    /// The existing reply.
    pub message: MessageId,
    /// The model to ask; without one, the model of the existing reply.
    pub model: Option<ModelName>,
}

impl Store {
    /// Stores an empty reply to the message that the existing reply follows. It becomes the end of the current branch,
    /// and a worker can begin it.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Invalid`] when the message is not a reply; [`Code::ReplyRunning`]; the errors of
    /// `terms`; [`Code::LimitReached`], [`Code::TooManyReplies`]; [`Code::Conflict`] when the conversation was changed
    /// on all attempts.
    pub async fn start_regeneration(
        &self,
        user: UserId,
        wanted: &Regeneration,
        terms: &Terms<'_>,
        id: ulid::Ulid,
        now: Millis,
    ) -> Result<ReplyPlace> {
        let mut attempts = retry::CONVERSATION.attempts();
        while attempts.next().await {
            let (conversation, existing) =
                self.find_message_in_latest(user, &wanted.conversation, &wanted.message).await?;
            if let Some(running) = conversation.running {
                if !self.end_abandoned_reply(user, &wanted.conversation, running, now).await? {
                    return Err(reply_running());
                }
                continue;
            }
            let found = (conversation, existing.ok_or_else(no_reply)?);
            if let Some(place) = self.try_regenerate(user, wanted, found, terms, id, now).await? {
                return Ok(place);
            }
        }
        Err(kept_changing())
    }

    /// Tries to store the empty reply once. `None` when the caller must retry: the version is stale, or abandoned
    /// replies were just ended and the reservation may fit now.
    async fn try_regenerate(
        &self,
        user: UserId,
        wanted: &Regeneration,
        (conversation, existing): (ConversationItem, StoredMessage),
        terms: &Terms<'_>,
        id: ulid::Ulid,
        now: Millis,
    ) -> Result<Option<ReplyPlace>> {
        let (Role::Assistant, Some(question)) = (existing.message.role, existing.parent) else {
            return Err(Error::invalid_field("messageId", "must be the id of a reply of this conversation"));
        };
        let model =
            wanted.model.clone().or(existing.message.model).unwrap_or_else(|| conversation.model.clone());
        let Granted { reservation, params } = terms(&model, conversation.estimated_past_tokens())?;
        let number = conversation.next_number;
        let message = MessageId::new(id, number);
        let place = ReplyPlace::stored(user, wanted.conversation.clone(), message.clone(), number);
        let held = Held::at(&place, now.day(), reservation.most);
        let reply =
            ReplyItem { held: Some(held.clone()), ..ReplyItem::pending(&message, &model, params, now) };
        let stored = StoredMessage {
            number,
            revision: conversation.revision.clone(),
            parent: Some(question),
            message: pending(message, model, now),
        };
        let mut writes = self.append_writes(user, &conversation, &stored, true, now).await?;
        let key = key::reply(user, &wanted.conversation, number);
        writes.push(Write::create(&self.studio, item_at(key, "reply", &reply)?));
        let mut change = Tally::default();
        change.count_message(&stored.message, 1);
        writes.extend(self.count(user, &change));
        writes.push(self.reservation_write(user, &held, reservation.budget));
        let last = writes.len() - 1;
        match self.transact(writes).await?.refused() {
            [] => return Ok(Some(place)),
            [one] if *one == last => self.end_abandoned_or_refuse(user, &reservation, now).await?,
            _ => {}
        }
        Ok(None)
    }
}

fn no_reply() -> Error {
    Error::new(Code::NotFound, "Reply not found")
}

fn pending(id: MessageId, model: ModelName, now: Millis) -> Message {
    Message {
        id,
        role: Role::Assistant,
        content: Content::of_reply(""),
        timestamp: now,
        model: Some(model),
        tokens: None,
        status: Some(ReplyStatus::Pending),
    }
}
