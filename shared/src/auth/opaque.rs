//! Opaque secrets: 256 random bits, of which only a hash is stored.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::domain::UserId;
use crate::error::{Error, Result};

/// A new secret for its owner: `prefix` and 43 characters.
///
/// # Errors
/// When the operating system has no randomness.
pub fn new_opaque(prefix: &str) -> Result<String> {
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(Error::internal)?;
    Ok(format!("{prefix}{}", BASE64.encode(secret)))
}

/// The prefix of WebSocket tickets.
pub const TICKET_PREFIX: &str = "wt_";

/// The hash of a secret, which is stored in its place. The secret has 256 random bits, so one round of SHA-256 is
/// enough.
#[must_use]
pub fn hash_opaque(secret: &str) -> String {
    BASE64.encode(digest::digest(&digest::SHA256, secret.as_bytes()))
}

/// A secret that names its user: `prefix`, the user's id, a dot, and 43 characters. Its item belongs to the user and is
/// deleted with the account.
#[derive(Clone, PartialEq, Eq)]
pub struct UserSecret {
    /// The user that the secret names. Only an item with the hash proves it.
    pub user: UserId,
    /// The hash that is stored.
    pub hash: String,
}

impl UserSecret {
    /// Creates a secret of `user`, and its text for the user.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new(prefix: &str, user: UserId) -> Result<(Self, String)> {
        let text = new_opaque(&format!("{prefix}{user}."))?;
        Ok((Self { user, hash: hash_opaque(&text) }, text))
    }

    /// Parses a secret; `None` if the text does not have the form of one.
    #[must_use]
    pub fn parse(prefix: &str, text: &str) -> Option<Self> {
        let (user, _) = text.strip_prefix(prefix)?.split_once('.')?;
        Some(Self { user: user.parse().ok()?, hash: hash_opaque(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_parsed_under_its_own_prefix_only() {
        let user = UserId::new(ulid::Ulid::from_parts(1, 1));
        let (secret, text) = UserSecret::new("x_", user).unwrap();
        assert!(UserSecret::parse("x_", &text) == Some(secret));
        for (prefix, bad) in [("y_", text.as_str()), ("x_", "x_"), ("x_", "x_abc.def"), ("x_", "")] {
            assert!(UserSecret::parse(prefix, bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn secrets_and_hashes_differ() {
        let (one, other) = (new_opaque("x_").unwrap(), new_opaque("x_").unwrap());
        assert_ne!(one, other);
        assert_ne!(hash_opaque(&one), hash_opaque(&other));
        assert_eq!((one.len(), hash_opaque(&one).len()), (45, 43));
    }
}
