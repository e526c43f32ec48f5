//! How a user has filed a conversation, in the conversation's own item.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::domain::{Filing, Folder, Tags};
use crate::store::dynamo::{Expression, text};

/// Adds the changes that store `filing` to an update of a conversation's own item.
pub(in crate::store) fn filing_expression(expression: Expression, filing: &Filing) -> Expression {
    let expression = set_flag(expression, "pinned", filing.pinned);
    let expression = set_flag(expression, "archived", filing.archived);
    set_folder(set_tags(expression, &filing.tags), filing.folder.as_ref())
}

/// Sets a flag. A false flag is removed, which makes the item in the index smaller.
pub(in crate::store) fn set_flag(expression: Expression, name: &str, flag: bool) -> Expression {
    expression.set_or_remove(name, flag.then_some(AttributeValue::Bool(true)))
}

pub(in crate::store) fn set_tags(expression: Expression, tags: &Tags) -> Expression {
    let list = || AttributeValue::L(tags.as_slice().iter().map(|tag| text(tag.as_str())).collect());
    expression.set_or_remove("tags", (!tags.is_empty()).then(list))
}

pub(in crate::store) fn set_folder(expression: Expression, folder: Option<&Folder>) -> Expression {
    expression.set_or_remove("folder", folder.map(|folder| text(folder.as_str())))
}
