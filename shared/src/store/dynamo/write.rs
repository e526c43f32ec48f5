//! The writes of a transaction.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update,
};

use super::expression::Expression;
use super::key::Key;

/// One write of a transaction.
#[derive(Clone, Debug)]
pub(in crate::store) struct Write {
    table: String,
    action: Action,
    expression: Expression,
    /// Whether DynamoDB returns the existing item when the condition fails.
    returns_item: bool,
}

#[derive(Clone, Debug)]
enum Action {
    Put(HashMap<String, AttributeValue>),
    Update(Key),
    Delete(Key),
    Check(Key),
}

impl Write {
    fn new(table: &str, action: Action, expression: Expression) -> Self {
        Self { table: table.to_owned(), action, expression, returns_item: false }
    }

    /// This update, with the existing item returned when its condition fails.
    pub(in crate::store) fn returning_item(self) -> Self {
        Self { returns_item: true, ..self }
    }

    /// Puts an item and overwrites an existing one.
    pub(in crate::store) fn put(table: &str, item: HashMap<String, AttributeValue>) -> Self {
        Self::new(table, Action::Put(item), Expression::default())
    }

    /// Puts an item that must not exist yet.
    pub(in crate::store) fn create(table: &str, item: HashMap<String, AttributeValue>) -> Self {
        Self { expression: Expression::default().when_absent("pk"), ..Self::put(table, item) }
    }

    /// Puts an item if the existing one satisfies the conditions of `expression`.
    pub(in crate::store) fn replace(
        table: &str,
        item: HashMap<String, AttributeValue>,
        expression: Expression,
    ) -> Self {
        Self { expression, ..Self::put(table, item) }
    }

    pub(in crate::store) fn update(table: &str, key: Key, expression: Expression) -> Self {
        Self::new(table, Action::Update(key), expression)
    }

    pub(in crate::store) fn delete(table: &str, key: Key, expression: Expression) -> Self {
        Self::new(table, Action::Delete(key), expression)
    }

    pub(in crate::store) fn check(table: &str, key: Key, expression: Expression) -> Self {
        Self::new(table, Action::Check(key), expression)
    }

    /// The write as the SDK represents it.
    pub(in crate::store) fn into_item(
        self,
    ) -> Result<TransactWriteItem, aws_sdk_dynamodb::error::BuildError> {
        let Self { table, action, expression, returns_item } = self;
        let returned = returns_item.then_some(ReturnValuesOnConditionCheckFailure::AllOld);
        let (condition, names, values) = (expression.condition(), expression.names(), expression.values());
        let item = TransactWriteItem::builder();
        Ok(match action {
            Action::Put(put) => item.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(put))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
            Action::Update(key) => item.update(
                Update::builder()
                    .table_name(table)
                    .set_key(Some(key.attributes()))
                    .set_update_expression(expression.update())
                    .set_return_values_on_condition_check_failure(returned)
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
            Action::Delete(key) => item.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(key.attributes()))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
            Action::Check(key) => item.condition_check(
                ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(key.attributes()))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
        }
        .build())
    }
}
