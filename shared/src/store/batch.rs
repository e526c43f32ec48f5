//! Many writes that nobody sees yet, or any more: batches, several at once, without a transaction's price.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::Store;
use super::key::Key;
use super::query::Item;
use super::transaction::{failed, random_below};
use crate::error::{Error, Result};

/// DynamoDB takes no more writes in one batch, and 16 MB.
const MOST_WRITES: usize = 25;
/// Batches that are on their way at once.
const AT_ONCE: usize = 8;
/// How often what DynamoDB left over is sent again.
const MOST_TRIES: u64 = 8;

impl Store {
    /// Puts all of these items, whatever is in their place. Half of it may be done when this fails.
    ///
    /// # Errors
    /// When DynamoDB is out of reach, or too busy again and again.
    pub(super) async fn put_batches(&self, items: Vec<Item>) -> Result<()> {
        let put = |item| PutRequest::builder().set_item(Some(item)).build();
        let writes: Result<Vec<_>, _> = items.into_iter().map(put).collect();
        let writes = writes.map_err(Error::internal)?.into_iter();
        self.write_batches(writes.map(|put| WriteRequest::builder().put_request(put).build()).collect()).await
    }

    /// Deletes the items at all of these keys, those that are not there too.
    ///
    /// # Errors
    /// As [`Self::put_batches`].
    pub(super) async fn delete_batches(&self, keys: Vec<Key>) -> Result<()> {
        let delete = |key: Key| DeleteRequest::builder().set_key(Some(key.attributes())).build();
        let writes: Result<Vec<_>, _> = keys.into_iter().map(delete).collect();
        let writes = writes.map_err(Error::internal)?.into_iter();
        let writes = writes.map(|delete| WriteRequest::builder().delete_request(delete).build());
        self.write_batches(writes.collect()).await
    }

    async fn write_batches(&self, writes: Vec<WriteRequest>) -> Result<()> {
        let batches: Vec<Vec<WriteRequest>> = writes.chunks(MOST_WRITES).map(<[_]>::to_vec).collect();
        let batches = futures_util::stream::iter(batches).map(|batch| self.write_batch(batch));
        batches.buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    async fn write_batch(&self, batch: Vec<WriteRequest>) -> Result<()> {
        let mut left = HashMap::from([(self.studio.clone(), batch)]);
        for attempt in 1..=MOST_TRIES {
            let request = self.client.batch_write_item().set_request_items(Some(left));
            left = request.send().await.map_err(failed)?.unprocessed_items.unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(random_below(50 * attempt))).await;
        }
        Err(Error::unavailable("a batch was left over again and again"))
    }
}
