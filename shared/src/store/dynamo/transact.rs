//! Writes: transactions, all or nothing, safe to send again and patient with conflicts; updates of one item; and what
//! their failures mean.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::error::{failed, has_code};
use super::expression::Expression;
use super::key::Key;
use super::query::Item;
use super::write::Write;
use crate::clock;
use crate::error::{Error, Result};
use crate::retry;
use crate::store::Store;

/// DynamoDB takes no more writes in one transaction.
pub(in crate::store) const MOST_WRITES: usize = 100;
/// What became of a transaction that could be tried.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Outcome {
    /// All was written.
    Committed,
    /// Nothing was written: the conditions of the writes at these positions failed.
    Refused(Vec<usize>),
}

impl Outcome {
    /// The positions of failed conditions; none when all was written.
    pub(in crate::store) fn refused(&self) -> &[usize] {
        match self {
            Self::Committed => &[],
            Self::Refused(positions) => positions,
        }
    }

    pub(in crate::store) fn is_committed(&self) -> bool {
        *self == Self::Committed
    }
}

/// What became of an update of one item.
#[derive(Debug)]
pub(in crate::store) enum Updated {
    /// It was made; the attributes that were asked for.
    Done(Item),
    /// A condition failed, because there is no item, or because of what this item holds.
    Refused(Option<Item>),
}

impl Store {
    /// Writes all of `writes` or none of them.
    ///
    /// The SDK sends a transaction again when its answer was lost, which is safe, since each try carries the same
    /// token. It does not when the transaction met another one on some item: this does, with jitter.
    ///
    /// # Errors
    /// When DynamoDB is out of reach, or others stood in the way ten times.
    pub(in crate::store) async fn transact(&self, writes: Vec<Write>) -> Result<Outcome> {
        let items: Result<Vec<_>, _> = writes.into_iter().map(Write::into_item).collect();
        let request = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items.map_err(Error::internal)?))
            .client_request_token(clock::new_ulid().to_string());
        let mut attempts = retry::TRANSACTION.attempts();
        while attempts.next().await {
            let Err(error) = request.clone().send().await else { return Ok(Outcome::Committed) };
            match cancelled(&error) {
                Some(positions) if positions.len() == 1 && returns_item(&error) => {
                    return Err(Error::quota_exceeded());
                }
                Some(positions) if !positions.is_empty() => return Ok(Outcome::Refused(positions)),
                Some(_) => {}
                None => return Err(failed(error)),
            }
        }
        Err(Error::unavailable("a transaction conflicted with others on all attempts"))
    }
}

impl Store {
    /// Puts one item, whatever is in its place.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub(in crate::store) async fn put(&self, table: &str, item: Item) -> Result<()> {
        let request = self.client.put_item().table_name(table).set_item(Some(item));
        request.send().await.map_err(failed)?;
        Ok(())
    }

    /// Updates one item of the studio table; none when a condition failed. An update that meets a transaction is sent
    /// again, with jitter, as the SDK does not.
    ///
    /// # Errors
    /// When DynamoDB is out of reach, or transactions stood in the way ten times.
    pub(in crate::store) async fn update(
        &self,
        key: Key,
        expression: &Expression,
        answer_with: ReturnValue,
    ) -> Result<Option<Item>> {
        let request = self.update_request(&self.studio, key, expression);
        Ok(match self.send_update(request.return_values(answer_with)).await? {
            Updated::Done(attributes) => Some(attributes),
            Updated::Refused(_) => None,
        })
    }

    /// The same, and says what is there when a condition failed.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub(in crate::store) async fn try_update(
        &self,
        key: Key,
        expression: &Expression,
        answer_with: ReturnValue,
    ) -> Result<Updated> {
        let request = self.update_request(&self.studio, key, expression).return_values(answer_with);
        let seen = ReturnValuesOnConditionCheckFailure::AllOld;
        self.send_update(request.return_values_on_condition_check_failure(seen)).await
    }

    /// Updates one item of the table of connections, in the same way, and gives what it is then; none when a condition
    /// failed.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub(in crate::store) async fn update_connection(
        &self,
        key: Key,
        expression: &Expression,
    ) -> Result<Option<Item>> {
        let request = self.update_request(&self.connections, key, expression);
        Ok(match self.send_update(request.return_values(ReturnValue::AllNew)).await? {
            Updated::Done(attributes) => Some(attributes),
            Updated::Refused(_) => None,
        })
    }

    async fn send_update(&self, request: UpdateItemFluentBuilder) -> Result<Updated> {
        let mut attempts = retry::TRANSACTION.attempts();
        while attempts.next().await {
            match request.clone().send().await {
                Ok(answer) => return Ok(Updated::Done(answer.attributes.unwrap_or_default())),
                Err(error) if has_code(&error, "TransactionConflictException") => {}
                Err(error) => return refused(error),
            }
        }
        Err(Error::unavailable("an update conflicted with transactions on all attempts"))
    }

    fn update_request(&self, table: &str, key: Key, expression: &Expression) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(table)
            .set_key(Some(key.attributes()))
            .set_update_expression(expression.update())
            .set_condition_expression(expression.condition())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
    }
}

/// What a failed update means, other than having met a transaction.
fn refused(error: SdkError<UpdateItemError>) -> Result<Updated> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
            Ok(Updated::Refused(refused.item.clone()))
        }
        _ => Err(failed(error)),
    }
}

/// For a transaction that was cancelled: the positions of failed conditions, none when it only met others.
fn cancelled(error: &SdkError<TransactWriteItemsError>) -> Option<Vec<usize>> {
    match error.as_service_error()? {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            let codes: Vec<&str> =
                cancelled.cancellation_reasons().iter().map(|r| r.code().unwrap_or("None")).collect();
            let refused = positions_of(&codes, "ConditionalCheckFailed");
            let transient = codes.iter().all(|code| {
                matches!(
                    *code,
                    "None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"
                )
            });
            (!refused.is_empty() || (transient && !codes.is_empty())).then_some(refused)
        }
        TransactWriteItemsError::TransactionInProgressException(_) => Some(Vec::new()),
        _ => None,
    }
}

/// Whether a failed condition told of the item that is there. Only the user's counters do: they are there, so what they are
/// conditioned on besides is what failed, which is the quota.
fn returns_item(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        return false;
    };
    cancelled.cancellation_reasons().iter().any(|reason| reason.item().is_some_and(|item| !item.is_empty()))
}

fn positions_of(codes: &[&str], wanted: &str) -> Vec<usize> {
    codes.iter().enumerate().filter(|(_, code)| **code == wanted).map(|(position, _)| position).collect()
}

/// A number below `bound`, good enough to spread load.
pub(in crate::store) fn random_below(bound: u64) -> u64 {
    (clock::new_ulid().random() % u128::from(bound.max(1))) as u64
}
