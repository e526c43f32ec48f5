//! Reads stretches of one partition. Every consistent Query of the store goes through here.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};

use super::error::failed;
use super::expression::text;
use super::item::sort_key;
use super::key::Key;
use crate::error::Result;
use crate::store::Store;

/// The attributes of an item.
pub(in crate::store) type Item = HashMap<String, AttributeValue>;

/// The items of one partition whose sort keys lie between two, both included.
#[derive(Clone, Debug)]
pub(in crate::store) struct KeyRange<'a> {
    table: &'a str,
    partition: String,
    from: String,
    to: String,
    backwards: bool,
}

impl<'a> KeyRange<'a> {
    pub(in crate::store) fn new(table: &'a str, partition: String, from: &str, to: &str) -> Self {
        Self { table, partition, from: from.to_owned(), to: to.to_owned(), backwards: false }
    }

    /// The same from its end to its beginning.
    pub(in crate::store) fn backwards(self) -> Self {
        Self { backwards: true, ..self }
    }
}

/// What one request found.
#[derive(Debug, Default)]
pub(in crate::store) struct Page {
    pub(in crate::store) items: Vec<Item>,
    /// Where the next request goes on; none when this was the last.
    pub(in crate::store) next: Option<String>,
}

impl Store {
    /// All items of a stretch that a limit keeps short, read consistently, a request a megabyte.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub(in crate::store) async fn query(&self, stretch: &KeyRange<'_>) -> Result<Vec<Item>> {
        let mut page = self.query_page(stretch, None, None).await?;
        let mut items = page.items;
        while let Some(next) = page.next {
            page = self.query_page(stretch, Some(next), None).await?;
            items.append(&mut page.items);
        }
        Ok(items)
    }

    /// Hands over each item of a stretch, read consistently, a request a megabyte: together they may be more than memory holds.
    ///
    /// # Errors
    /// Those of `each`; when DynamoDB is out of reach.
    pub(in crate::store) async fn query_each(
        &self,
        stretch: &KeyRange<'_>,
        mut each: impl FnMut(Item) -> Result<()>,
    ) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.query_page(stretch, after, None).await?;
            page.items.into_iter().try_for_each(&mut each)?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// One page of a stretch, read consistently: at most a megabyte, and `limit` items, behind `after`.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub(in crate::store) async fn query_page(
        &self,
        stretch: &KeyRange<'_>,
        after: Option<String>,
        limit: Option<usize>,
    ) -> Result<Page> {
        let KeyRange { table, partition, from, to, backwards } = stretch;
        let start = after.map(|sk| Key { pk: partition.clone(), sk }.attributes());
        let request = self
            .client
            .query()
            .table_name(*table)
            .consistent_read(true)
            .scan_index_forward(!backwards)
            .set_limit(limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)))
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(partition.clone()))
            .expression_attribute_values(":from", text(from.clone()))
            .expression_attribute_values(":to", text(to.clone()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_exclusive_start_key(start);
        // The SDK's futures are large, and those of many callers hold several of them.
        let answer = Box::pin(request.send()).await.map_err(failed)?;
        Box::pin(self.account_read(answer.consumed_capacity.as_ref())).await?;
        let next = answer.last_evaluated_key.map(|key| sort_key(&key).to_owned());
        Ok(Page { items: answer.items.unwrap_or_default(), next })
    }
}
