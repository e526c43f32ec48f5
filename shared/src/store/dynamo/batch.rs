//! Many writes that nobody sees yet, or any more: batches, several at once, without a transaction's price.

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

/// DynamoDB takes no more writes in one batch, and 16 MB.
const MOST_WRITES: usize = 25;
/// As much of it is in one batch at most, but for a single item: a batch that is on its way is in memory several times over.
const MOST_BYTES: usize = 512 * 1024;
/// Batches that are on their way at once.
const AT_ONCE: usize = 8;

impl Store {
    /// Puts all of these items, whatever is in their place, each made when its batch is. Half of it may be done when this fails.
    ///
    /// # Errors
    /// Those of making an item; when DynamoDB is out of reach, or did not take all of them until `deadline`.
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

    /// Deletes the items at all of these keys, those that are not there too.
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

    /// Writes a batch, and what DynamoDB leaves over of it, as often as it takes: a partition takes a thousand writes a
    /// second, so of many some wait their turn. To write the same again is harmless.
    async fn write_batch(&self, batch: Vec<WriteRequest>, deadline: Millis) -> Result<()> {
        let mut left = HashMap::from([(self.studio.clone(), batch)]);
        let mut attempts = retry::BATCH.attempts();
        while attempts.next().await {
            let request = self.client.batch_write_item().set_request_items(Some(left.clone()));
            let request = request.customize().config_override(patient());
            // The SDK's futures are large, and eight are under way.
            match Box::pin(request.send()).await.map_err(failed) {
                Ok(answer) => left = answer.unprocessed_items.unwrap_or_default(),
                Err(error) if error.code() == Code::Unavailable && clock::now() < deadline => {}
                Err(error) => return Err(error),
            }
            if left.is_empty() {
                return Ok(());
            }
            if clock::now() >= deadline {
                break;
            }
        }
        Err(Error::unavailable("DynamoDB left writes of a batch undone until the deadline"))
    }
}

/// The next items that go into one batch.
fn next_batch(
    items: &mut std::iter::Peekable<impl Iterator<Item = Result<Item>>>,
) -> Option<Result<Vec<Item>>> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(next) = items.peek() {
        let weight = next.as_ref().map_or(0, weight);
        if batch.len() == MOST_WRITES || (bytes + weight > MOST_BYTES && !batch.is_empty()) {
            break;
        }
        bytes += weight;
        match items.next()? {
            Ok(item) => batch.push(item),
            Err(error) => return Some(Err(error)),
        }
    }
    (!batch.is_empty()).then_some(Ok(batch))
}

/// About how many bytes an item has: those of its texts.
fn weight(item: &Item) -> usize {
    let bytes = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        _ => 0,
    };
    item.values().map(bytes).sum()
}

/// A batch is as much work as 25 other requests, and under load it waits as long as they do: asking again meanwhile
/// would only make it more.
fn patient() -> aws_sdk_dynamodb::config::Builder {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(15));
    aws_sdk_dynamodb::config::Builder::new().timeout_config(timeouts.build())
}
