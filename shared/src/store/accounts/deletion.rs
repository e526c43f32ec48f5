//! Deletion of an account. One transaction disables the account: its credentials, name and address are gone at once. A
//! task then deletes the account's items. Each step can be repeated, so the task continues where an earlier run died.

use aws_sdk_dynamodb::types::AttributeValue;

use super::own_account::NotWritten;
use super::user_item::UserItem;
use crate::domain::{LoggedIn, Millis, UserId};
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::conversations::cleanup::{CleanupIntent, soon};
use crate::store::dynamo::{Expression, Item, Key, KeyRange, Write, failed, random_below, sort_key, text};
use crate::store::{Store, key};

/// How far the deletion of an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionState {
    /// The account is in use.
    NotBegun,
    /// The account is disabled, and its items are being deleted.
    InProgress,
    /// Nothing is left of the account.
    Done,
}

impl Store {
    /// Disables an account in one transaction: all its credentials become invalid, its name and address become free,
    /// and nothing can be created in it any more, because every creation requires the account's statistics, which this
    /// deletes.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the account was changed meanwhile; [`Code::Unauthenticated`] when the session was
    /// revoked meanwhile.
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

    /// How far the deletion of an account is, read consistently.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn get_deletion_state(&self, user: UserId) -> Result<DeletionState> {
        let item = self.find_item::<UserItem>(key::user(user)).await?;
        Ok(match item {
            None => DeletionState::Done,
            Some(item) if item.leaving => DeletionState::InProgress,
            Some(_) => DeletionState::NotBegun,
        })
    }

    /// Deletes one conversation of an account that is being deleted; false when the index lists none any more. The
    /// conversation's own item is deleted last, so an interrupted deletion finds the conversation again.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn delete_next_conversation(&self, user: UserId) -> Result<bool> {
        let listed = self.list_conversations(user, None, 1).await?;
        let Some(id) = listed.into_iter().next().map(|listed| listed.id) else { return Ok(false) };
        self.delete_partition(&key::conversation_partition(user, &id), key::CONVERSATION).await?;
        let unchanged = Expression::default().when_equal("kind", text("conversation"));
        let writes = vec![
            Write::delete(&self.studio, key::conversation(user, &id), unchanged),
            self.count_conversations(-1),
        ];
        // A refusal means that an earlier run deleted and counted the conversation; the index lags behind.
        self.transact(writes).await?;
        Ok(true)
    }

    /// Deletes what interrupted requests of an account that is being deleted left behind, as the account's cleanup
    /// intents name it. While such a request may still be running, deletes nothing and returns until when it may run.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn delete_cleanup_leftovers(&self, user: UserId, now: Millis) -> Result<Option<Millis>> {
        let notes = self.list_cleanup_intents(user).await?;
        if let Some(until) = notes.iter().map(CleanupIntent::ends_at).max().filter(|until| *until > now) {
            return Ok(Some(until));
        }
        for intent in notes {
            self.delete_partition(&key::conversation_partition(user, intent.conversation()), "").await?;
        }
        Ok(None)
    }

    /// Deletes all other items of an account that is being deleted, and the user's own item last.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
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

    /// Deletes all items of a partition except the one with the sort key `kept`, and the items by the hashes of its API
    /// keys.
    async fn delete_partition(&self, partition: &str, kept: &str) -> Result<()> {
        let all = KeyRange::new(&self.studio, partition.to_owned(), "A", "Z");
        loop {
            let page = self.query_page(&all, None, None).await?;
            let others: Vec<Item> = page.items.into_iter().filter(|item| sort_key(item) != kept).collect();
            if others.is_empty() && page.next.is_none() {
                return Ok(());
            }
            // The item by the hash of an API key is deleted first, because only the other item contains the hash.
            let hashes = others.iter().filter_map(|item| item.get("hash")?.as_s().ok());
            self.delete_batches(hashes.map(|hash| key::api_key_owner(hash)).collect(), soon()).await?;
            let own = |item: &Item| Key { pk: partition.to_owned(), sk: sort_key(item).to_owned() };
            self.delete_batches(others.iter().map(own).collect(), soon()).await?;
        }
    }
}
