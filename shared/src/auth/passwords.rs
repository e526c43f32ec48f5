//! Passwords: argon2id with the parameters that OWASP names as the least (19 MiB, two passes, one lane).

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;

use crate::domain::RuleBroken;
use crate::error::{Error, Result};

/// A password that a client sent: 8 to 256 characters, at most 1,024 bytes, in normal form C.
/// It is never printed, and there is no way to read it but to hash or verify it.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Password(String);

impl TryFrom<String> for Password {
    type Error = RuleBroken;

    fn try_from(text: String) -> Result<Self, RuleBroken> {
        // Checked before normalising, which can make text longer and takes time.
        if text.len() > 1024 || !(8..=256).contains(&text.chars().count()) {
            return Err(RuleBroken("must have 8 to 256 characters, at most 1024 bytes".to_owned()));
        }
        Ok(Self(text.nfc().collect()))
    }
}

/// Hashes and verifies passwords, off the async threads.
#[derive(Clone)]
pub struct Passwords {
    /// The hash of a password nobody has: verifying against it makes an unknown user cost what a known one does.
    dummy: Arc<str>,
}

impl Passwords {
    /// Makes the hash that stands in for unknown users, once at cold start (17 ms).
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new() -> Result<Self> {
        let dummy = hash("nobody has this password")?;
        Ok(Self { dummy: dummy.into() })
    }

    /// The hash of `password` in PHC form, with a salt of its own.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub async fn hash(&self, password: Password) -> Result<String> {
        tokio::task::spawn_blocking(move || hash(&password.0)).await.map_err(Error::internal)?
    }

    /// Whether `password` is the one behind `stored`. Without `stored` (the user is unknown) it does the same
    /// work and says no.
    ///
    /// # Errors
    /// When the stored hash is damaged.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<bool> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.to_string());
        let matches = tokio::task::spawn_blocking(move || verify(&password.0, &stored));
        let matches = matches.await.map_err(Error::internal)??;
        Ok(matches && known)
    }
}

fn hash(password: &str) -> Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|error| Error::internal(error.to_string()))?.to_string())
}

fn verify(password: &str, stored: &str) -> Result<bool> {
    let stored = PasswordHash::new(stored).map_err(|error| Error::internal(error.to_string()))?;
    match Argon2::default().verify_password(password.as_bytes(), &stored) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(Error::internal(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::try_from(text.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_verified_whatever_its_normal_form() {
        let passwords = Passwords::new().unwrap();
        let stored = passwords.hash(password("Zo\u{eb} likes tea")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let decomposed = password("Zoe\u{308} likes tea");
        assert!(passwords.verify(decomposed, Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify(password("zoe likes tea"), Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn an_unknown_user_never_passes_even_with_the_dummy_password() {
        let passwords = Passwords::new().unwrap();
        assert!(!passwords.verify(password("nobody has this password"), None).await.unwrap());
    }

    #[test]
    fn length_has_bounds_and_nothing_is_trimmed() {
        assert!(Password::try_from("1234567".to_owned()).is_err());
        assert!(Password::try_from("        ".to_owned()).is_ok());
        assert!(Password::try_from("x".repeat(257)).is_err());
        assert!(Password::try_from("好".repeat(256)).is_ok());
        assert!(Password::try_from("😀".repeat(257)).is_err());
    }
}
