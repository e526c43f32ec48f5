//! WebSocket tickets. A ticket opens one connection within half a minute. Only a hash of the ticket is stored.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::{Deserialize, Serialize};

use crate::domain::{Millis, Owner, UserId};
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::dynamo::{Expression, condition_failed, failed, from_item, item_at};
use crate::store::{Store, key};

#[derive(Serialize, Deserialize)]
struct TicketItem {
    #[serde(flatten)]
    owner: Owner,
    expires_at: u64,
}

impl Store {
    /// Stores a ticket by its hash, which opens a connection for `owner` until `ends`.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn create_ticket(&self, hash: &str, owner: Owner, ends: Millis) -> Result<()> {
        let ticket = TicketItem { owner, expires_at: ends.seconds() };
        let item = item_at(key::ticket(owner.user, hash), "ticket", &ticket)?;
        // A ticket has 256 random bits, so an existing item can only be this ticket, written by an attempt whose answer
        // was lost.
        self.put(&self.studio, item).await
    }

    /// Uses up the ticket of `user` with this hash and returns its owner. `None` when the ticket is unknown, used or
    /// expired. Of two concurrent requests with one ticket, only one gets the owner. Keys of this form are used for
    /// tickets only, so no other secret can be presented as a ticket.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn redeem_ticket(&self, user: UserId, hash: &str, now: Millis) -> Result<Option<Owner>> {
        let exists = Expression::default().when_exists("pk");
        let request = self
            .client
            .delete_item()
            .table_name(&self.studio)
            .set_key(Some(key::ticket(user, hash).attributes()))
            .set_condition_expression(exists.condition())
            .set_expression_attribute_names(exists.names())
            .return_values(ReturnValue::AllOld);
        let item = match request.send().await {
            Ok(answer) => answer.attributes.map(from_item::<TicketItem>).transpose()?,
            Err(error) if condition_failed(&error) => None,
            Err(error) => return Err(failed(error)),
        };
        Ok(item.filter(|item| item.expires_at > now.seconds()).map(|item| item.owner))
    }
}
