//! Transactions and updates of single items, with retries after conflicts.

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
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::retry;
use crate::store::Store;

/// The most writes that DynamoDB accepts in one transaction.
pub(in crate::store) const MOST_WRITES: usize = 100;

/// The outcome of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Outcome {
    /// Everything was written.
    Committed,
    /// Nothing was written, because the conditions of the writes at these positions failed.
    Refused(Vec<usize>),
}

impl Outcome {
    /// The positions of the writes whose conditions failed; empty when the transaction was committed.
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

/// The outcome of an update of one item.
#[derive(Debug)]
pub(in crate::store) enum Updated {
    /// The update was made. Contains the attributes that the request asked for.
    Done(Item),
    /// The condition failed. Contains the existing item, if there is one.
    Refused(Option<Item>),
}

impl Store {
    /// Writes all of `writes` or none of them.
    ///
    /// The SDK repeats a transaction whose answer was lost, which is safe because all attempts carry the same token.
    /// The SDK does not repeat a transaction that conflicted with another one; this function does, as
    /// [`retry::TRANSACTION`] allows.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable, or when the transaction conflicted on all attempts;
    /// [`Code::QuotaExceeded`] when only the condition on the user's quota failed.
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
                Some(positions) if positions.len() == 1 && is_quota_exceeded(&error) => {
                    return Err(Error::quota_exceeded());
                }
                Some(positions) if !positions.is_empty() => return Ok(Outcome::Refused(positions)),
                Some(_) => {}
                None => return Err(failed(error)),
            }
        }
        Err(Error::unavailable("a transaction conflicted with other transactions on all attempts"))
    }
}

impl Store {
    /// Puts one item and overwrites an existing one.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
    pub(in crate::store) async fn put(&self, table: &str, item: Item) -> Result<()> {
        let request = self.client.put_item().table_name(table).set_item(Some(item));
        request.send().await.map_err(failed)?;
        Ok(())
    }

    /// Updates one item of the studio table and returns the attributes that `answer_with` selects; `None` when the
    /// condition failed. An update that conflicted with a transaction is repeated as [`retry::TRANSACTION`] allows,
    /// which the SDK does not do.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable, or when the update conflicted on all attempts.
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

    /// Like [`Self::update`], but returns the existing item when the condition failed.
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
        let returned = ReturnValuesOnConditionCheckFailure::AllOld;
        self.send_update(request.return_values_on_condition_check_failure(returned)).await
    }

    /// Updates one item of the connections table and returns the whole updated item; `None` when the condition failed.
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

/// The outcome of a failed update that did not conflict with a transaction.
fn refused(error: SdkError<UpdateItemError>) -> Result<Updated> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
            Ok(Updated::Refused(refused.item.clone()))
        }
        _ => Err(failed(error)),
    }
}

/// The positions of the failed conditions of a cancelled transaction; empty when it only conflicted with other
/// transactions or was throttled. `None` for any other error.
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

/// Whether the quota was the reason for a failed condition. Only the write of a user's counters returns the existing
/// item when its condition fails. If that item exists, the account exists, so the condition on the quota is what
/// failed.
fn is_quota_exceeded(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        return false;
    };
    cancelled.cancellation_reasons().iter().any(|reason| reason.item().is_some_and(|item| !item.is_empty()))
}

fn positions_of(codes: &[&str], wanted: &str) -> Vec<usize> {
    codes.iter().enumerate().filter(|(_, code)| **code == wanted).map(|(position, _)| position).collect()
}

/// A random number below `bound`, good enough to spread load.
pub(in crate::store) fn random_below(bound: u64) -> u64 {
    (clock::new_ulid().random() % u128::from(bound.max(1))) as u64
}
