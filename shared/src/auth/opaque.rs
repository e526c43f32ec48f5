//! Secrets that mean nothing in themselves: 256 random bits, of which only a hash is stored.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

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

/// What is stored of a secret. It has far too many bits to be guessed, so one round of SHA-256 is enough.
#[must_use]
pub fn hash_opaque(secret: &str) -> String {
    BASE64.encode(digest::digest(&digest::SHA256, secret.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_secrets_or_hashes_are_alike() {
        let (one, other) = (new_opaque("x_").unwrap(), new_opaque("x_").unwrap());
        assert_ne!(one, other);
        assert_ne!(hash_opaque(&one), hash_opaque(&other));
        assert_eq!((one.len(), hash_opaque(&one).len()), (45, 43));
    }
}
