//! What is stored about a user, as it stands, without what would let somebody in.

use serde_json::Value;

use super::query::Stretch;
use super::transaction::from_item;
use super::{Store, key};
use crate::domain::UserId;
use crate::error::Result;

/// So many records fit an answer with conversations beside them.
const PAGE: usize = 500;
/// Keys of the table, and what proves who somebody is.
const KEPT_BACK: [&str; 8] = [
    "pk",
    "hash",
    "password_hash",
    "previous_hash",
    "recovery",
    "refresh_hash",
    "totp_pending",
    "totp_secret",
];

/// Some records of a user.
#[derive(Debug)]
pub struct Records {
    /// Each an object; `sk` says what it is.
    pub records: Vec<Value>,
    /// Behind which the next page begins, if there is one.
    pub next: Option<String>,
}

impl Store {
    /// What is stored about `user` apart from conversations, behind `after`.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn list_records(&self, user: UserId, after: Option<String>) -> Result<Records> {
        let all = Stretch::new(&self.studio, key::user_partition(user), "A", "Z");
        let page = self.query_page(&all, after, Some(PAGE)).await?;
        let records: Result<Vec<Value>> = page.items.into_iter().map(from_item).collect();
        let mut records = records?;
        for record in records.iter_mut().filter_map(Value::as_object_mut) {
            for name in KEPT_BACK {
                record.remove(name);
            }
        }
        Ok(Records { records, next: page.next })
    }
}
