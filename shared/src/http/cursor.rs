//! Cursors: where a paged answer goes on, opaque to clients, and good only for the list that it was given with.

use std::fmt::Display;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::Request;
use crate::error::{Error, Result};

/// The text that stands for `place` in the list that `scope` names: whose it is, of what, in which order.
#[must_use]
pub fn seal(scope: &str, place: &impl Display) -> String {
    let place = place.to_string();
    BASE64.encode(format!("{}{place}", tag(scope, &place)))
}

fn open<T: FromStr>(scope: &str, text: &str) -> Option<T> {
    let text = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
    let (given, place) = text.split_at_checked(TAG)?;
    (given == tag(scope, place)).then(|| place.parse().ok()).flatten()
}

/// Characters of a tag.
const TAG: usize = 12;

/// Ties a place to its scope. It keeps nobody from making one up, which would harm nobody: whose list it is, the caller's
/// token says.
fn tag(scope: &str, place: &str) -> String {
    let hash = digest(&SHA256, format!("{scope}\n{place}").as_bytes());
    BASE64.encode(hash).chars().take(TAG).collect()
}

/// A text that tells bytes from all others.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> String {
    BASE64.encode(digest(&SHA256, bytes))
}

impl Request {
    /// The place that the cursor in the query stands for, in the list that `scope` names.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when it was not given with that list.
    pub fn cursor<T: FromStr>(&self, scope: &str) -> Result<Option<T>> {
        let Some(text) = self.parameter("cursor")? else { return Ok(None) };
        let refused = || Error::invalid_field("cursor", "must be one that this service gave for this list");
        open(scope, text).map(Some).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_list_alone() {
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
