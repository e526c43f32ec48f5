//! Another reply to the same words: a new branch, beside the reply that is there.

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
use crate::store::conversations::message_item::StoredMessage;
use crate::store::dynamo::{Write, item_at};
use crate::store::{Store, key};

/// What is wanted of another reply.
#[derive(Clone, Debug)]
pub struct Regeneration {
    /// The conversation.
    pub conversation: ConversationId,
    /// The reply that is there.
    pub message: MessageId,
    /// The model to ask; without one, the one that made the reply.
    pub model: Option<ModelName>,
}

impl Store {
    /// Stores the place of another reply to what the reply that is there answered. It becomes the end of the current branch.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Invalid`] when the message is no reply; [`Code::ReplyRunning`]; what `terms` say;
    /// [`Code::LimitReached`], [`Code::TooManyReplies`]; [`Code::Conflict`].
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
            let (seen, there) =
                self.find_message_in_latest(user, &wanted.conversation, &wanted.message).await?;
            if let Some(running) = seen.running {
                if !self.end_abandoned_reply(user, &wanted.conversation, running, now).await? {
                    return Err(reply_running());
                }
                continue;
            }
            let there = there.ok_or_else(no_reply)?;
            let (Role::Assistant, Some(asked)) = (there.message.role, there.parent) else {
                return Err(Error::invalid_field("messageId", "must be a reply of this conversation"));
            };
            let model = wanted.model.clone().or(there.message.model).unwrap_or_else(|| seen.model.clone());
            let Granted { reservation, params } = terms(&model, seen.past())?;
            let number = seen.next_number;
            let message = MessageId::new(id, number);
            let place = ReplyPlace::stored(user, wanted.conversation.clone(), message.clone(), number);
            let held = Held::at(&place, now.day(), reservation.most);
            let reply =
                ReplyItem { held: Some(held.clone()), ..ReplyItem::pending(&message, &model, params, now) };
            let stored = StoredMessage {
                number,
                revision: seen.revision.clone(),
                parent: Some(asked),
                message: pending(message, model, now),
            };
            let mut writes = self.append_writes(user, &seen, &stored, true, now).await?;
            let key = key::reply(user, &wanted.conversation, number);
            writes.push(Write::create(&self.studio, item_at(key, "reply", &reply)?));
            let mut change = Tally::default();
            change.count_message(&stored.message, 1);
            writes.extend(self.count(user, &change));
            writes.push(self.reserving(user, &held, reservation.budget));
            let last = writes.len() - 1;
            match self.transact(writes).await?.refused() {
                [] => return Ok(place),
                [one] if *one == last => self.make_room(user, &reservation, now).await?,
                _ => {}
            }
        }
        Err(kept_changing())
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
