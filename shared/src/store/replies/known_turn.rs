//! Recognising a turn that a client sends again with the same id.

use super::start::{StartedTurn, StoredTurn};
use crate::domain::{ReplyPlace, UserId};
use crate::error::{Error, Result};
use crate::store::conversations::message_item::ReferenceItem;
use crate::store::messages::append::message_exists;
use crate::store::{Store, key};

impl Store {
    /// Finds the turn that was stored with the same client id. If its text differs, the id is used for two different
    /// turns, which is refused.
    pub(in crate::store) async fn find_known_turn(
        &self,
        user: UserId,
        turn: &StoredTurn,
    ) -> Result<Option<StartedTurn>> {
        let Some(client_id) = &turn.client_id else { return Ok(None) };
        let Some(item) = self.find_slot(user, &turn.conversation).await?.conversation() else {
            return Ok(None);
        };
        let reference = key::reference(user, &turn.conversation, item.revision.as_str(), client_id);
        let Some(ReferenceItem { number }) = self.find_item(reference).await? else { return Ok(None) };
        // The reply is stored directly after the user's message.
        let (question, reply) = tokio::try_join!(
            self.find_message_at(user, &item, number),
            self.find_message_at(user, &item, number + 1)
        )?;
        if question.is_some_and(|question| question.message.content != turn.content) {
            return Err(message_exists());
        }
        let Some(reply) = reply.map(|stored| stored.message).filter(|message| message.status.is_some())
        else {
            let detail = "belongs to a message of the conversation that has no reply";
            return Err(Error::invalid_field("id", detail));
        };
        let place = ReplyPlace::stored(user, turn.conversation.clone(), reply.id.clone(), number + 1);
        Ok(Some(StartedTurn::Known(place, reply)))
    }
}
