//! Cursors: the position at which the next page begins. A cursor is opaque to clients and valid for one list only.

use std::fmt::Display;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::Request;
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};

/// The cursor for a position in the list that `scope` names by its user, its content and its order.
#[must_use]
pub fn seal(scope: &str, position: &impl Display) -> String {
    let position = position.to_string();
    BASE64.encode(format!("{}{position}", tag_of(scope, &position)))
}

fn open<T: FromStr>(scope: &str, text: &str) -> Option<T> {
    let text = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
    let (tag, position) = text.split_at_checked(TAG_LENGTH)?;
    (tag == tag_of(scope, position)).then(|| position.parse().ok()).flatten()
}

/// The number of characters of a tag.
const TAG_LENGTH: usize = 12;

/// A tag that ties a position to its list. It is not a signature: a forged cursor is harmless, because the token
/// decides whose list is read.
fn tag_of(scope: &str, position: &str) -> String {
    let hash = digest(&SHA256, format!("{scope}\n{position}").as_bytes());
    BASE64.encode(hash).chars().take(TAG_LENGTH).collect()
}

/// A hash of bytes, as text.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> String {
    BASE64.encode(digest(&SHA256, bytes))
}

impl Request {
    /// The position of the cursor in the query, in the list that `scope` names.
    ///
    /// # Errors
    /// [`Code::Invalid`] if the cursor belongs to another list.
    pub fn cursor<T: FromStr>(&self, scope: &str) -> Result<Option<T>> {
        let Some(text) = self.parameter("cursor")? else { return Ok(None) };
        let refused = || Error::invalid_field("cursor", "must come from a `Link` of this list");
        open(scope, text).map(Some).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_valid_for_its_own_list_only() {
        let cursor = seal("list user_1", &41_u64);
        assert_eq!(open::<u64>("list user_1", &cursor), Some(41));
        assert_eq!(open::<u64>("list user_2", &cursor), None);
        for forged in
            ["", "x", "%00", cursor.get(1..).unwrap_or_default(), &BASE64.encode("41"), &format!("{cursor}=")]
        {
            assert_eq!(open::<u64>("list user_1", forged), None, "{forged}");
        }
    }
}
