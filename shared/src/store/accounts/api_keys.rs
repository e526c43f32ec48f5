//! API keys: found by the hash of what their owner has, and listed with their owner.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::ReturnValue;
use serde::{Deserialize, Serialize};

use super::own_account::NotWritten;
use crate::domain::{ApiKey, KeyId, KeyName, LoggedIn, Millis, User, UserId};
use crate::error::{Code, Error, Result};
use crate::store::dynamo::{Expression, KeyRange, Write, from_item, ids, item_at, number};
use crate::store::{Store, key};

/// A user has at most so many keys.
const MOST_KEYS: usize = 50;

/// What making a key stores.
pub struct NewKey {
    /// What the owner sees of it later.
    pub key: ApiKey,
    /// The hash of what the owner has.
    pub hash: String,
}

/// Whose a key is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct KeyOwner {
    /// The user.
    pub user: UserId,
    /// The key.
    pub key: KeyId,
    /// When it ends, if it does.
    #[serde(rename = "ends_at", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
}

#[derive(Serialize, Deserialize)]
struct KeyItem {
    id: KeyId,
    name: KeyName,
    ending: String,
    hash: String,
    created_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Millis>,
}

impl From<KeyItem> for ApiKey {
    fn from(item: KeyItem) -> Self {
        Self {
            id: item.id,
            name: item.name,
            ending: item.ending,
            created_at: item.created_at,
            expires_at: item.ends_at,
            last_used_at: item.last_used_at,
        }
    }
}

impl Store {
    /// Keeps a new key of the user who is logged in.
    ///
    /// # Errors
    /// [`Code::Conflict`] when there are 50 already; [`Code::Unauthenticated`] when the session was revoked meanwhile.
    pub async fn create_key(&self, by: &LoggedIn, new: &NewKey) -> Result<()> {
        let full = || Error::new(Code::Conflict, format!("There are {MOST_KEYS} keys already"));
        let user = by.user();
        if user.keys.len() >= MOST_KEYS {
            return Err(full());
        }
        let key = new.key.clone();
        let owner = KeyOwner { user: user.id, key: key.id, expires_at: key.expires_at };
        let item = KeyItem {
            id: key.id,
            name: key.name,
            ending: key.ending,
            hash: new.hash.clone(),
            created_at: key.created_at,
            ends_at: key.expires_at,
            last_used_at: None,
        };
        let named = Expression::default()
            .add_to_set("keys", ids([key.id.to_string()]))
            .when_absent_or_fewer("keys", number(MOST_KEYS));
        let items = vec![
            Write::create(&self.studio, item_at(key::api_key_owner(&new.hash), "api_key", &owner)?),
            Write::create(&self.studio, item_at(key::api_key(user.id, key.id), "key", &item)?),
        ];
        self.change_own_account(by, named, items).await?.map_err(|_full_meanwhile| full())
    }

    /// Whose the key with this hash is, read consistently.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn find_key_owner(&self, hash: &str) -> Result<Option<KeyOwner>> {
        self.find_item(key::api_key_owner(hash)).await
    }

    /// Remembers that a key was used.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn touch_key(&self, user: UserId, id: KeyId, now: Millis) -> Result<()> {
        let used = Expression::default().set("last_used_at", number(now.get())).when_exists("pk");
        self.update(key::api_key(user, id), &used, ReturnValue::None).await?;
        Ok(())
    }

    /// The keys of a user, the last made first.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn list_keys(&self, user: &User) -> Result<Vec<ApiKey>> {
        let items = self.key_items(user.id).await?;
        let mut keys: Vec<ApiKey> =
            items.into_iter().map(ApiKey::from).filter(|key| user.keys.contains(&key.id)).collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.id));
        Ok(keys)
    }

    /// Ends a key of the user who is logged in.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the user has no such key; [`Code::Unauthenticated`] when the session was revoked meanwhile.
    pub async fn delete_key(&self, by: &LoggedIn, id: KeyId) -> Result<()> {
        let absent = || Error::new(Code::NotFound, "Key not found");
        let user = by.user().id;
        let item = self.find_item::<KeyItem>(key::api_key(user, id)).await?.ok_or_else(absent)?;
        let forgotten = Expression::default().delete_from_set("keys", ids([id.to_string()]));
        let items = vec![
            Write::delete(&self.studio, key::api_key(user, id), Expression::default()),
            Write::delete(&self.studio, key::api_key_owner(&item.hash), Expression::default()),
        ];
        self.change_own_account(by, forgotten, items).await?.map_err(|_changed| NotWritten::conflict())
    }

    /// Deletes the items of keys that the user's own item names no more. They mean nothing: what a failure here leaves
    /// behind is refused.
    pub(in crate::store) async fn delete_key_items(
        &self,
        user: UserId,
        ended: &BTreeSet<KeyId>,
    ) -> Result<()> {
        for item in self.key_items(user).await?.iter().filter(|item| ended.contains(&item.id)) {
            let writes = vec![
                Write::delete(&self.studio, key::api_key_owner(&item.hash), Expression::default()),
                Write::delete(&self.studio, key::api_key(user, item.id), Expression::default()),
            ];
            self.transact(writes).await?;
        }
        Ok(())
    }

    async fn key_items(&self, user: UserId) -> Result<Vec<KeyItem>> {
        let partition = key::user_partition(user);
        let items =
            self.query(&KeyRange::new(&self.studio, partition, key::API_KEYS, key::AFTER_API_KEYS)).await?;
        items.into_iter().map(from_item).collect()
    }
}
