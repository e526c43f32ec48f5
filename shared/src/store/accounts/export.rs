//! What is stored about a user, as it stands, without what would let somebody in.

use serde_json::Value;

use crate::domain::UserId;
use crate::error::Result;
use crate::store::dynamo::{Item, KeyRange, from_item, sort_key, unpacked};
use crate::store::{Store, key};

/// So many records are looked at in a request.
const PAGE: usize = 500;
/// So many bytes of JSON fit an answer with conversations beside them, escaped once more.
const MOST_BYTES: usize = 1_500_000;
/// Keys of the table, and what proves who somebody is.
const KEPT_BACK: [&str; 8] =
    ["pk", "hash", "password_hash", "recovery", "refresh_hash", "totp_pending", "totp_secret", "used"];
/// What the sort keys begin with of what ends by itself within a day: secrets, counters, and what makes requests repeatable.
const SHORT_LIVED: [&str; 5] = ["FAILURES", "LIMIT#", "MAIL#", "REQUEST#", "TICKET#"];

/// Some records of a user.
#[derive(Debug)]
pub struct UserRecords {
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
    pub async fn list_records(&self, user: UserId, after: Option<String>) -> Result<UserRecords> {
        let all = KeyRange::new(&self.studio, key::user_partition(user), "A", "Z");
        let page = self.query_page(&all, after, Some(PAGE)).await?;
        let (mut records, mut bytes, mut last) = (Vec::new(), 0, None);
        for item in page.items {
            let place = sort_key(&item).to_owned();
            if SHORT_LIVED.iter().any(|prefix| place.starts_with(prefix)) {
                continue;
            }
            let record = record(item)?;
            bytes += record.to_string().len();
            if bytes > MOST_BYTES && !records.is_empty() {
                return Ok(UserRecords { records, next: last });
            }
            records.push(record);
            last = Some(place);
        }
        Ok(UserRecords { records, next: page.next })
    }
}

/// An item as its user may see it. Replies that belong to no conversation hold text, compressed.
fn record(mut item: Item) -> Result<Value> {
    for name in KEPT_BACK {
        item.remove(name);
    }
    from_item(item.into_iter().map(|(name, value)| (name, unpacked(value))).collect())
}
