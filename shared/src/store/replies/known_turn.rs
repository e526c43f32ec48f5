//! A turn that comes again under the client's id.

use super::start::{StartedTurn, StoredTurn};
use crate::domain::{ReplyPlace, UserId};
use crate::error::{Error, Result};
use crate::store::conversations::message_item::ReferenceItem;
use crate::store::messages::append::message_exists;
use crate::store::{Store, key};

impl Store {
    /// The turn that was stored under the same client's id. With other words it is another turn, which the id does not allow.
    pub(in crate::store) async fn find_known_turn(
        &self,
        user: UserId,
        turn: &StoredTurn,
    ) -> Result<Option<StartedTurn>> {
        let Some(client_id) = &turn.client_id else { return Ok(None) };
        let Some(item) = self.standing(user, &turn.conversation).await?.conversation() else {
            return Ok(None);
        };
        let reference = key::reference(user, &turn.conversation, item.revision.as_str(), client_id);
        let Some(ReferenceItem { number }) = self.find_item(reference).await? else { return Ok(None) };
        // The reply stands just behind the user's message.
        let (asked, reply) = tokio::try_join!(
            self.find_message_at(user, &item, number),
            self.find_message_at(user, &item, number + 1)
        )?;
        if asked.is_some_and(|asked| asked.message.content != turn.content) {
            return Err(message_exists());
        }
        let Some(reply) = reply.map(|stored| stored.message).filter(|message| message.status.is_some())
        else {
            let detail = "A message with this id is in the conversation already, without a reply";
            return Err(Error::invalid_field("id", detail));
        };
        let place = ReplyPlace::stored(user, turn.conversation.clone(), reply.id.clone(), number + 1);
        Ok(Some(StartedTurn::Known(place, reply)))
    }
}
