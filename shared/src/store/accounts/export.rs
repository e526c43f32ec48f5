//! The stored records of a user for export, without secrets.

use serde_json::Value;

use crate::domain::UserId;
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::dynamo::{Item, KeyRange, from_item, sort_key, unpacked};
use crate::store::{Store, key};

/// How many items one request reads.
const PAGE: usize = 500;
/// The most bytes of JSON in one page. An answer also contains conversations, and is escaped once more.
const MOST_BYTES: usize = 1_500_000;
/// Attributes that are not exported: keys of the table, and secrets and their hashes.
const NOT_EXPORTED: [&str; 8] =
    ["pk", "hash", "password_hash", "recovery", "refresh_hash", "totp_pending", "totp_secret", "used"];
/// Prefixes of the sort keys of items that expire within a day: secrets, counters and idempotency records. They are not
/// exported.
const SHORT_LIVED: [&str; 5] = ["FAILURES", "LIMIT#", "MAIL#", "REQUEST#", "TICKET#"];

/// A page of the records of a user.
#[derive(Debug)]
pub struct UserRecords {
    /// The records. Each is a JSON object whose `sk` says what it is.
    pub records: Vec<Value>,
    /// The sort key after which the next page begins; `None` on the last page.
    pub next: Option<String>,
}

impl Store {
    /// Lists what is stored about `user`, except conversations, after the sort key `after`.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn list_records(&self, user: UserId, after: Option<String>) -> Result<UserRecords> {
        let all = KeyRange::new(&self.studio, key::user_partition(user), "A", "Z");
        let page = self.query_page(&all, after, Some(PAGE)).await?;
        let (mut records, mut bytes, mut last) = (Vec::new(), 0, None);
        for item in page.items {
            let key = sort_key(&item).to_owned();
            if SHORT_LIVED.iter().any(|prefix| key.starts_with(prefix)) {
                continue;
            }
            let record = exported(item)?;
            bytes += record.to_string().len();
            if bytes > MOST_BYTES && !records.is_empty() {
                return Ok(UserRecords { records, next: last });
            }
            records.push(record);
            last = Some(key);
        }
        Ok(UserRecords { records, next: page.next })
    }
}

/// An item as its user may see it. Loose replies contain compressed text, which is decompressed.
fn exported(mut item: Item) -> Result<Value> {
    for name in NOT_EXPORTED {
        item.remove(name);
    }
    from_item(item.into_iter().map(|(name, value)| (name, unpacked(value))).collect())
}
