//! Secrets that mean nothing in themselves: 256 random bits, of which only a hash is stored.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::domain::UserId;
use crate::error::{Error, Result};

/// A new secret, as its owner gets it: `prefix` and 43 characters.
///
/// # Errors
/// When the operating system has no randomness.
pub fn new_opaque(prefix: &str) -> Result<String> {
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(Error::internal)?;
    Ok(format!("{prefix}{}", BASE64.encode(secret)))
}

/// What WebSocket tickets begin with.
pub const TICKET_PREFIX: &str = "wt_";

/// What is stored of a secret. It has far too many bits to be guessed, so one round of SHA-256 is enough.
#[must_use]
pub fn hash_opaque(secret: &str) -> String {
    BASE64.encode(digest::digest(&digest::SHA256, secret.as_bytes()))
}

/// A secret that names its user, so that its item is one of the user's and is deleted with them: `prefix`, the user's id, a
/// dot, and 43 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct UserSecret {
    /// Whose it says it is, which only the item with its hash proves.
    pub user: UserId,
    /// What is stored of it.
    pub hash: String,
}

impl UserSecret {
    /// A new secret of `user`, and its text, as its owner gets it.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new(prefix: &str, user: UserId) -> Result<(Self, String)> {
        let text = new_opaque(&format!("{prefix}{user}."))?;
        Ok((Self { user, hash: hash_opaque(&text) }, text))
    }

    /// The secret that `text` may be; none when it has not the form of one.
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
    fn a_secret_that_names_its_user_is_read_back_under_its_own_prefix_alone() {
        let user = UserId::new(ulid::Ulid::from_parts(1, 1));
        let (secret, text) = UserSecret::new("x_", user).unwrap();
        assert!(UserSecret::parse("x_", &text) == Some(secret));
        for (prefix, bad) in [("y_", text.as_str()), ("x_", "x_"), ("x_", "x_abc.def"), ("x_", "")] {
            assert!(UserSecret::parse(prefix, bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn no_two_secrets_or_hashes_are_alike() {
        let (one, other) = (new_opaque("x_").unwrap(), new_opaque("x_").unwrap());
        assert_ne!(one, other);
        assert_ne!(hash_opaque(&one), hash_opaque(&other));
        assert_eq!((one.len(), hash_opaque(&one).len()), (45, 43));
    }
}
