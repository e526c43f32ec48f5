//! WebSocket tickets: good once, and for half a minute.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::{Deserialize, Serialize};

use crate::domain::{Millis, Owner, UserId};
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
    /// Keeps a ticket, by its hash, that opens a connection for `owner` until `ends`.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn create_ticket(&self, hash: &str, owner: Owner, ends: Millis) -> Result<()> {
        let ticket = TicketItem { owner, expires_at: ends.seconds() };
        let item = item_at(key::ticket(owner.user, hash), "ticket", &ticket)?;
        // It has 256 random bits: what is there can only be this one, from a try whose answer was lost.
        self.put(&self.studio, item).await
    }

    /// Takes the ticket of `user` with this hash: of two requests at once, one gets its owner. None when it is unknown, used,
    /// or over. Its key holds nothing but tickets, so no other secret can be taken for one.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn redeem_ticket(&self, user: UserId, hash: &str, now: Millis) -> Result<Option<Owner>> {
        let there = Expression::default().when_exists("pk");
        let request = self
            .client
            .delete_item()
            .table_name(&self.studio)
            .set_key(Some(key::ticket(user, hash).attributes()))
            .set_condition_expression(there.condition())
            .set_expression_attribute_names(there.names())
            .return_values(ReturnValue::AllOld);
        let item = match request.send().await {
            Ok(answer) => answer.attributes.map(from_item::<TicketItem>).transpose()?,
            Err(error) if condition_failed(&error) => None,
            Err(error) => return Err(failed(error)),
        };
        Ok(item.filter(|item| item.expires_at > now.seconds()).map(|item| item.owner))
    }
}
