//! Deleting an account: gone for everybody at once, its items soon after. Each step can be taken again.

use aws_sdk_dynamodb::types::AttributeValue;

use super::own_account::NotWritten;
use super::user_item::UserItem;
use crate::domain::{LoggedIn, Millis, UserId};
use crate::error::Result;
use crate::store::conversations::cleanup::{CleanupIntent, soon};
use crate::store::dynamo::{Expression, Item, Key, KeyRange, Write, failed, random_below, sort_key, text};
use crate::store::{Store, key};

/// Where an account stands on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionState {
    /// It is somebody's.
    NotBegun,
    /// It is nobody's, and its items go.
    SessionOutcome,
    /// Nothing is left.
    Done,
}

impl Store {
    /// Makes an account nobody's, in one transaction: no credential of it counts, its name and address are free, and
    /// nothing can be created in it, since what creates needs its statistics.
    ///
    /// # Errors
    /// [`crate::error::Code::Conflict`] when the account was changed meanwhile; [`crate::error::Code::Unauthenticated`] when the session was revoked
    /// meanwhile.
    pub async fn begin_account_deletion(&self, by: &LoggedIn) -> Result<()> {
        let user = by.user();
        let leaving = Expression::default()
            .set("leaving", AttributeValue::Bool(true))
            .remove("sessions")
            .remove("keys")
            .add("token_version", 1)
            .when_equal("password_hash", text(user.password_hash.clone()))
            .when_equal("email", text(user.email.as_str()));
        let uncounted = Expression::default().add("users", -1);
        let others = vec![
            Write::delete(&self.studio, key::username(&user.username), Expression::default()),
            Write::delete(&self.studio, key::email(&user.email), Expression::default()),
            Write::delete(&self.studio, key::statistics(user.id), Expression::default()),
            Write::update(&self.studio, key::totals(random_below(key::SHARDS)), uncounted),
        ];
        self.change_own_account(by, leaving, others).await?.map_err(|_meanwhile| NotWritten::conflict())
    }

    /// Where an account stands on its way out, read consistently.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn departure(&self, user: UserId) -> Result<DeletionState> {
        let item = self.find_item::<UserItem>(key::user(user)).await?;
        Ok(match item {
            None => DeletionState::Done,
            Some(item) if item.leaving => DeletionState::SessionOutcome,
            Some(_) => DeletionState::NotBegun,
        })
    }

    /// Deletes one conversation of an account that is leaving, or finishes what was begun; false when the index names
    /// none any more. The conversation's own item goes last, so what is interrupted is found again.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn delete_some_conversation(&self, user: UserId) -> Result<bool> {
        let listed = self.list_conversations(user, None, 1).await?;
        let Some(id) = listed.into_iter().next().map(|listed| listed.id) else { return Ok(false) };
        self.delete_partition(&key::conversation_partition(user, &id), key::CONVERSATION).await?;
        let there = Expression::default().when_equal("kind", text("conversation"));
        let writes = vec![
            Write::delete(&self.studio, key::conversation(user, &id), there),
            self.count_conversations(-1),
        ];
        // Refused means that it is counted out already: the index is behind.
        self.transact(writes).await?;
        Ok(true)
    }

    /// Deletes what requests of an account that is leaving had begun and nobody finished. While one may still be at
    /// work, nothing is deleted, and it is said until when.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn delete_unfinished(&self, user: UserId, now: Millis) -> Result<Option<Millis>> {
        let notes = self.unfinished(user).await?;
        if let Some(until) = notes.iter().map(CleanupIntent::ends_at).max().filter(|until| *until > now) {
            return Ok(Some(until));
        }
        for note in notes {
            self.delete_partition(&key::conversation_partition(user, note.conversation()), "").await?;
        }
        Ok(None)
    }

    /// Deletes what else an account that is leaving owns, and the account last of all.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn finish_account_deletion(&self, user: UserId) -> Result<()> {
        self.delete_partition(&key::user_partition(user), key::USER).await?;
        let item = key::user(user);
        self.client
            .delete_item()
            .table_name(&self.studio)
            .set_key(Some(item.attributes()))
            .send()
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Deletes all items of a partition but the one with the sort key `kept`, and the secrets they lead to.
    async fn delete_partition(&self, partition: &str, kept: &str) -> Result<()> {
        let all = KeyRange::new(&self.studio, partition.to_owned(), "A", "Z");
        loop {
            let page = self.query_page(&all, None, None).await?;
            let others: Vec<Item> = page.items.into_iter().filter(|item| sort_key(item) != kept).collect();
            if others.is_empty() && page.next.is_none() {
                return Ok(());
            }
            // An API key is found by its hash, too; that goes first, so that the way to it is not lost.
            let hashes = others.iter().filter_map(|item| item.get("hash")?.as_s().ok());
            self.delete_batches(hashes.map(|hash| key::api_key_owner(hash)).collect(), soon()).await?;
            let own = |item: &Item| Key { pk: partition.to_owned(), sk: sort_key(item).to_owned() };
            self.delete_batches(others.iter().map(own).collect(), soon()).await?;
        }
    }
}
