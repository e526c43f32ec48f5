//! Consistent reads of single items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use serde::de::DeserializeOwned;

use super::error::failed;
use super::item::from_item;
use super::key::Key;
use super::query::Item;
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::retry;
use crate::store::Store;

impl Store {
    /// Reads the item at `key` of a table, consistently. `None` when there is no item.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub(in crate::store) async fn find_raw_item(&self, table: &str, key: Key) -> Result<Option<Item>> {
        let request = self.client.get_item().table_name(table).set_key(Some(key.attributes()));
        Ok(request.consistent_read(true).send().await.map_err(failed)?.item)
    }

    /// Finds the value stored at `key` of the studio table, read consistently.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable; [`Code::Internal`] when the item cannot be deserialized as
    /// `T`.
    pub(in crate::store) async fn find_item<T: DeserializeOwned>(&self, key: Key) -> Result<Option<T>> {
        self.find_raw_item(&self.studio, key).await?.map(from_item).transpose()
    }

    /// Finds the items at `keys` of the studio table with one consistent request. The result has the order of `keys`.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
    pub(in crate::store) async fn find_items(&self, keys: Vec<Key>) -> Result<Vec<Option<Item>>> {
        let mut found = vec![None; keys.len()];
        let wanted = keys.iter().map(|key| key.clone().attributes());
        let wanted = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(wanted.collect()));
        let wanted = wanted.build().map_err(Error::internal)?;
        let mut left = HashMap::from([(self.studio.clone(), wanted)]);
        let mut attempts = retry::TRANSACTION.attempts();
        while attempts.next().await {
            let answer = self.client.batch_get_item().set_request_items(Some(left)).send().await;
            let answer = answer.map_err(failed)?;
            for item in answer.responses.into_iter().flatten().flat_map(|(_table, items)| items) {
                let place = keys.iter().position(|key| key.is_of(&item));
                if let Some(found) = place.and_then(|place| found.get_mut(place)) {
                    *found = Some(item);
                }
            }
            left = answer.unprocessed_keys.unwrap_or_default();
            if left.is_empty() {
                return Ok(found);
            }
        }
        Err(Error::unavailable("DynamoDB did not return all items of a BatchGetItem on any attempt"))
    }
}
