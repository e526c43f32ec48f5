//! Batches of writes without a transaction, which would cost twice as much. They are for items that readers do not see
//! yet or no longer see.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::error::failed;
use super::key::Key;
use super::query::Item;
use crate::clock;
use crate::domain::Millis;
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::Store;

/// The most writes that DynamoDB accepts in one batch.
const MOST_WRITES: usize = 25;
/// The most bytes in one batch, unless a single item is larger. A batch is in memory several times while it is sent.
const MOST_BYTES: usize = 512 * 1024;
/// How many batches are sent at the same time.
const AT_ONCE: usize = 8;

impl Store {
    /// Puts all of these items and overwrites existing ones. Items are built when their batch is. When this fails, some
    /// items may have been written.
    ///
    /// # Errors
    /// The errors of building an item; [`Code::Unavailable`] when DynamoDB is unavailable or did not accept all items
    /// by `deadline`.
    pub(in crate::store) async fn put_batches(
        &self,
        items: impl Iterator<Item = Result<Item>>,
        deadline: Millis,
    ) -> Result<()> {
        let mut items = items.peekable();
        let batches = std::iter::from_fn(|| next_batch(&mut items));
        let batches = futures_util::stream::iter(batches).map(async |batch| {
            let put = |item| PutRequest::builder().set_item(Some(item)).build();
            let writes: Result<Vec<_>, _> = batch?.into_iter().map(put).collect();
            let writes = writes.map_err(Error::internal)?.into_iter();
            self.write_batch(
                writes.map(|put| WriteRequest::builder().put_request(put).build()).collect(),
                deadline,
            )
            .await
        });
        batches.buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    /// Deletes the items at these keys. Keys without an item are ignored.
    ///
    /// # Errors
    /// As [`Self::put_batches`].
    pub(in crate::store) async fn delete_batches(&self, keys: Vec<Key>, deadline: Millis) -> Result<()> {
        let delete = |key: Key| DeleteRequest::builder().set_key(Some(key.attributes())).build();
        let writes: Result<Vec<_>, _> = keys.into_iter().map(delete).collect();
        let writes = writes.map_err(Error::internal)?.into_iter();
        let writes = writes.map(|delete| WriteRequest::builder().delete_request(delete).build());
        self.write_batches(writes.collect(), deadline).await
    }

    async fn write_batches(&self, writes: Vec<WriteRequest>, deadline: Millis) -> Result<()> {
        let batches: Vec<Vec<WriteRequest>> = writes.chunks(MOST_WRITES).map(<[_]>::to_vec).collect();
        let batches = futures_util::stream::iter(batches).map(|batch| self.write_batch(batch, deadline));
        batches.buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    /// Writes a batch and repeats the writes that DynamoDB did not process, until all are done or `deadline` is over. A
    /// partition accepts a thousand writes a second, so large jobs are throttled. Repeating a write is harmless.
    async fn write_batch(&self, batch: Vec<WriteRequest>, deadline: Millis) -> Result<()> {
        let mut unprocessed = HashMap::from([(self.studio.clone(), batch)]);
        let mut attempts = retry::BATCH.attempts();
        while attempts.next().await {
            let request = self.client.batch_write_item().set_request_items(Some(unprocessed.clone()));
            let request = request.customize().config_override(longer_timeouts());
            // The futures of the SDK are large, and eight run at the same time.
            match Box::pin(request.send()).await.map_err(failed) {
                Ok(answer) => unprocessed = answer.unprocessed_items.unwrap_or_default(),
                Err(error) if error.code() == Code::Unavailable && clock::now() < deadline => {}
                Err(error) => return Err(error),
            }
            if unprocessed.is_empty() {
                return Ok(());
            }
            if clock::now() >= deadline {
                break;
            }
        }
        Err(Error::unavailable("DynamoDB did not process all writes of a batch before the deadline"))
    }
}

/// Takes the items of the next batch from `items`.
fn next_batch(
    items: &mut std::iter::Peekable<impl Iterator<Item = Result<Item>>>,
) -> Option<Result<Vec<Item>>> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(next) = items.peek() {
        let size = next.as_ref().map_or(0, approximate_size);
        if batch.len() == MOST_WRITES || (bytes + size > MOST_BYTES && !batch.is_empty()) {
            break;
        }
        bytes += size;
        match items.next()? {
            Ok(item) => batch.push(item),
            Err(error) => return Some(Err(error)),
        }
    }
    (!batch.is_empty()).then_some(Ok(batch))
}

/// The approximate size of an item in bytes: the sum of its texts.
fn approximate_size(item: &Item) -> usize {
    let bytes = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        _ => 0,
    };
    item.values().map(bytes).sum()
}

/// Longer timeouts than for other requests. A batch is as much work as 25 requests, and under load it takes as long;
/// sending it again meanwhile would only add load.
fn longer_timeouts() -> aws_sdk_dynamodb::config::Builder {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(15));
    aws_sdk_dynamodb::config::Builder::new().timeout_config(timeouts.build())
}
