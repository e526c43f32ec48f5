//! Passwords, hashed by argon2id with the minimum parameters of OWASP (19 MiB, two passes, one lane).

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, Params};
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;
use utoipa::ToSchema;

use super::well_known::is_well_known;
use crate::domain::{Email, RuleBroken, Username};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};

/// A password that a client sent: 8 to 256 characters, at most 1,024 bytes, in normal form C. It can be hashed and
/// verified, but not read or printed.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(format = Password, min_length = 8, max_length = 256)]
#[serde(try_from = "String")]
pub struct Password(String);

impl TryFrom<String> for Password {
    type Error = RuleBroken;

    fn try_from(text: String) -> Result<Self, RuleBroken> {
        // Before normalising, which takes time and can make the text longer.
        if text.len() > 1024 || !(8..=256).contains(&text.chars().count()) {
            return Err(RuleBroken("must have 8 to 256 characters, at most 1024 bytes".to_owned()));
        }
        Ok(Self(text.nfc().collect()))
    }
}

/// A password that a user chooses: a [`Password`] that is not one of the 500 most common ones.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, format = Password, min_length = 8, max_length = 256, example = "a long enough passphrase")]
#[serde(try_from = "String")]
pub struct NewPassword(Password);

impl TryFrom<String> for NewPassword {
    type Error = RuleBroken;

    fn try_from(text: String) -> Result<Self, RuleBroken> {
        let password = Password::try_from(text)?;
        if is_well_known(&password.0) {
            return Err(RuleBroken("must not be one of the most common passwords".to_owned()));
        }
        Ok(Self(password))
    }
}

impl NewPassword {
    /// The password, unless it is the user's own name or address.
    ///
    /// # Errors
    /// [`Code::Invalid`] for the field with this name.
    pub fn of_user(self, username: &Username, email: &Email, field: &str) -> Result<Password> {
        let canonical: String = self.0.0.nfkc().collect::<String>().to_lowercase().nfkc().collect();
        let email = email.canonical();
        let mailbox = email.rsplit_once('@').map_or("", |(mailbox, _)| mailbox);
        if [username.canonical().as_str(), email.as_str(), mailbox].contains(&canonical.as_str()) {
            return Err(Error::invalid_field(field, "must not be your username or email address"));
        }
        Ok(self.0)
    }
}

/// The hash of `nobody has this password`. A password for an unknown user is verified against it, so that unknown and
/// known users cost the same work. It is a constant, because hashing it would dominate a cold start.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$xz9L/nR7Bhs+NqbAHlceGg$rYQAFI6jMHS53ZtBWv2lcdQwn1VLDpo7LQ2rFKHwfaw";

/// Hashes and verifies passwords, off the async threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passwords;

impl Passwords {
    /// The hash of `password` in PHC format, with its own salt.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub async fn hash(&self, password: Password) -> Result<String> {
        tokio::task::spawn_blocking(move || hash(&password.0)).await.map_err(Error::internal)?
    }

    /// Whether a stored hash was made with weaker parameters than the current ones.
    #[must_use]
    pub fn is_outdated(stored: &str) -> bool {
        let Ok(stored) = PasswordHash::new(stored) else { return false };
        let (today, made) = (Params::default(), Params::try_from(&stored));
        made.is_ok_and(|made| made.m_cost() < today.m_cost() || made.t_cost() < today.t_cost())
    }

    /// Whether `password` matches the hash `stored`. Without `stored`, because the user is unknown, it does the same
    /// work and returns false.
    ///
    /// # Errors
    /// When the stored hash is damaged.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<bool> {
        let is_known = stored.is_some();
        let stored = stored.unwrap_or_else(|| DUMMY.to_owned());
        let matches = tokio::task::spawn_blocking(move || verify(&password.0, &stored));
        let matches = matches.await.map_err(Error::internal)??;
        Ok(matches && is_known)
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
    async fn a_password_is_verified_in_any_normal_form() {
        let passwords = Passwords;
        let stored = passwords.hash(password("Zo\u{eb} likes tea")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let decomposed = password("Zoe\u{308} likes tea");
        assert!(passwords.verify(decomposed, Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify(password("zoe likes tea"), Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn an_unknown_user_never_passes_even_with_the_dummy_password() {
        let passwords = Passwords;
        assert!(!passwords.verify(password("nobody has this password"), None).await.unwrap());
        // The dummy costs the same work as other hashes.
        assert!(verify("nobody has this password", DUMMY).unwrap() && !Passwords::is_outdated(DUMMY));
    }

    #[test]
    fn a_hash_with_weaker_parameters_is_outdated() {
        let params = Params::new(8192, 2, 1, None).unwrap();
        let old = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        assert!(Passwords::is_outdated(&old.hash_password(b"a password").unwrap().to_string()));
        assert!(!Passwords::is_outdated(&hash("a password").unwrap()));
    }

    #[test]
    fn a_password_must_not_be_the_users_name_or_address() {
        let new = |text: &str| NewPassword::try_from(text.to_owned());
        let (name, email) = ("Ada.Lovelace".parse().unwrap(), "Countess@Example.com".parse().unwrap());
        for bad in ["ada.lovelace", "countess@example.com", "COUNTESS", "ＡＤＡ.lovelace"] {
            assert!(new(bad).unwrap().of_user(&name, &email, "password").is_err(), "{bad}");
        }
        assert!(new("ada.lovelace!").unwrap().of_user(&name, &email, "password").is_ok());
        assert!(new("Password1").is_err() && new("password123").is_ok());
    }

    #[test]
    fn the_length_is_limited_and_spaces_are_kept() {
        assert!(Password::try_from("1234567".to_owned()).is_err());
        assert!(Password::try_from("        ".to_owned()).is_ok());
        assert!(Password::try_from("x".repeat(257)).is_err());
        assert!(Password::try_from("好".repeat(256)).is_ok());
        assert!(Password::try_from("😀".repeat(257)).is_err());
    }
}
