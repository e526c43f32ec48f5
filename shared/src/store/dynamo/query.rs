//! Consistent queries for a range of sort keys of one partition.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};

use super::error::failed;
use super::expression::text;
use super::item::sort_key;
use super::key::Key;
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::Store;

/// The attributes of an item.
pub(in crate::store) type Item = HashMap<String, AttributeValue>;

/// A range of sort keys of one partition, including both ends.
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

    /// This range, read from its end to its beginning.
    pub(in crate::store) fn backwards(self) -> Self {
        Self { backwards: true, ..self }
    }
}

/// The result of one Query request.
#[derive(Debug, Default)]
pub(in crate::store) struct Page {
    pub(in crate::store) items: Vec<Item>,
    /// The sort key after which the next request continues; `None` when this was the last page.
    pub(in crate::store) next: Option<String>,
}

impl Store {
    /// All items of a range, read consistently with one request a megabyte. For ranges whose number of items is
    /// limited.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
    pub(in crate::store) async fn query(&self, range: &KeyRange<'_>) -> Result<Vec<Item>> {
        let mut page = self.query_page(range, None, None).await?;
        let mut items = page.items;
        while let Some(next) = page.next {
            page = self.query_page(range, Some(next), None).await?;
            items.append(&mut page.items);
        }
        Ok(items)
    }

    /// Calls `each` with every item of a range, read consistently with one request a megabyte. For ranges that may be
    /// larger than memory.
    ///
    /// # Errors
    /// The errors of `each`; [`Code::Unavailable`].
    pub(in crate::store) async fn query_each(
        &self,
        range: &KeyRange<'_>,
        mut each: impl FnMut(Item) -> Result<()>,
    ) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.query_page(range, after, None).await?;
            page.items.into_iter().try_for_each(&mut each)?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// One page of a range after the sort key `after`, read consistently: at most one megabyte, and at most `limit`
    /// items.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
    pub(in crate::store) async fn query_page(
        &self,
        range: &KeyRange<'_>,
        after: Option<String>,
        limit: Option<usize>,
    ) -> Result<Page> {
        let KeyRange { table, partition, from, to, backwards } = range;
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
        // The futures of the SDK are large, and the futures of many callers contain several of them.
        let answer = Box::pin(request.send()).await.map_err(failed)?;
        Box::pin(self.account_read(answer.consumed_capacity.as_ref())).await?;
        let next = answer.last_evaluated_key.map(|key| sort_key(&key).to_owned());
        Ok(Page { items: answer.items.unwrap_or_default(), next })
    }
}
