//! API keys. Only a hash of the secret is stored. A key has an item by this hash, by which a request finds its owner,
//! and an item in its owner's partition, for lists. A key is valid only while the user's own item names it.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::ReturnValue;
use serde::{Deserialize, Serialize};

use super::own_account::NotWritten;
use crate::domain::{ApiKey, KeyId, KeyName, LoggedIn, Millis, User, UserId};
use crate::error::{Code, Error, Result};
use crate::store::dynamo::{Expression, KeyRange, Write, from_item, ids, item_at, number};
use crate::store::{Store, key};

/// The most API keys of a user.
const MOST_KEYS: usize = 50;

/// A new API key.
pub struct NewKey {
    /// The key as lists show it.
    pub key: ApiKey,
    /// The hash of the secret.
    pub hash: String,
}

/// The owner of an API key.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct KeyOwner {
    /// The user.
    pub user: UserId,
    /// The key.
    pub key: KeyId,
    /// When the key expires; `None` when it does not.
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
    /// Stores a new API key of the user who is logged in.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the user has 50 keys already; [`Code::Unauthenticated`] when the session was revoked
    /// meanwhile.
    pub async fn create_key(&self, by: &LoggedIn, new: &NewKey) -> Result<()> {
        let full =
            || Error::new(Code::Conflict, format!("You have {MOST_KEYS} API keys already. Revoke one first"));
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
        let with_key = Expression::default()
            .add_to_set("keys", ids([key.id.to_string()]))
            .when_absent_or_fewer("keys", number(MOST_KEYS));
        let items = vec![
            Write::create(&self.studio, item_at(key::api_key_owner(&new.hash), "api_key", &owner)?),
            Write::create(&self.studio, item_at(key::api_key(user.id, key.id), "key", &item)?),
        ];
        self.change_own_account(by, with_key, items).await?.map_err(|_full_meanwhile| full())
    }

    /// Finds the owner of the key with this hash, read consistently.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn find_key_owner(&self, hash: &str) -> Result<Option<KeyOwner>> {
        self.find_item(key::api_key_owner(hash)).await
    }

    /// Records that a key was used at `now`.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn touch_key(&self, user: UserId, id: KeyId, now: Millis) -> Result<()> {
        let used = Expression::default().set("last_used_at", number(now.get())).when_exists("pk");
        self.update(key::api_key(user, id), &used, ReturnValue::None).await?;
        Ok(())
    }

    /// Lists the valid keys of a user, newest first.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn list_keys(&self, user: &User) -> Result<Vec<ApiKey>> {
        let items = self.key_items(user.id).await?;
        let mut keys: Vec<ApiKey> =
            items.into_iter().map(ApiKey::from).filter(|key| user.keys.contains(&key.id)).collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.id));
        Ok(keys)
    }

    /// Revokes a key of the user who is logged in.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the user has no such key; [`Code::Unauthenticated`] when the session was revoked
    /// meanwhile.
    pub async fn delete_key(&self, by: &LoggedIn, id: KeyId) -> Result<()> {
        let absent = || Error::new(Code::NotFound, "Key not found");
        let user = by.user().id;
        let item = self.find_item::<KeyItem>(key::api_key(user, id)).await?.ok_or_else(absent)?;
        let without_key = Expression::default().delete_from_set("keys", ids([id.to_string()]));
        let items = vec![
            Write::delete(&self.studio, key::api_key(user, id), Expression::default()),
            Write::delete(&self.studio, key::api_key_owner(&item.hash), Expression::default()),
        ];
        self.change_own_account(by, without_key, items).await?.map_err(|_changed| NotWritten::conflict())
    }

    /// Deletes the items of keys that the user's own item no longer names. Such keys are refused already, so a failure
    /// here does no harm.
    pub(in crate::store) async fn delete_key_items(
        &self,
        user: UserId,
        revoked: &BTreeSet<KeyId>,
    ) -> Result<()> {
        for item in self.key_items(user).await?.iter().filter(|item| revoked.contains(&item.id)) {
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
