//! The technical layer over DynamoDB: keys, items, expressions, transactions and queries. It knows no resource of the
//! product.

mod batch;
mod compression;
mod error;
mod expression;
mod get;
mod item;
mod key;
mod query;
mod transact;
mod write;

pub(super) use compression::{Packed, packed, unpacked};
pub(super) use error::{condition_failed, failed};
pub(super) use expression::{Expression, ids, number, text};
pub(super) use item::{from_item, integer, item_at, sort_key, to_item};
pub(super) use key::Key;
pub(super) use query::{Item, KeyRange, Page};
pub(super) use transact::{MOST_WRITES, Outcome, Updated, random_below};
pub(super) use write::Write;
