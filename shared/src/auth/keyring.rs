//! The signing keys: derived from the current secret and from the previous one, so that a rotation logs nobody out.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::{digest, hmac};
use jsonwebtoken::{DecodingKey, EncodingKey};
use tokio::sync::Mutex;

use crate::aws::secrets::{Secrets, Versions};
use crate::clock;
use crate::domain::Millis;
use crate::error::{Error, Result};

/// The shortest time between two reads of the secret because of an unknown key.
const PAUSE_SECONDS: u64 = 60;

/// Texts that mark a secret as an example from documentation.
const EXAMPLES: [&str; 8] = [
    "secret-key",
    "secret_key",
    "changeme",
    "change-me",
    "django-insecure-",
    "your-",
    "example",
    // The secret in FastAPI's tutorial.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
];

/// A secret that keys are derived from. It has no `Debug` and no `Display`.
#[derive(Clone)]
pub struct SecretKey(String);

impl TryFrom<String> for SecretKey {
    type Error = &'static str;

    fn try_from(secret: String) -> Result<Self, Self::Error> {
        let mut characters: Vec<char> = secret.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        let lower = secret.to_lowercase();
        let is_example = EXAMPLES.iter().any(|example| lower.contains(example));
        if secret.len() < 32 || characters.len() < 10 || is_example {
            return Err("must be at least 32 bytes of randomness; `openssl rand -hex 32` makes a good one");
        }
        Ok(Self(secret))
    }
}

/// The keys that are derived from one secret, one for each use.
#[derive(Clone)]
pub struct SigningKey {
    pub(super) id: String,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    pub(super) tags: hmac::Key,
    pub(super) successors: hmac::Key,
}

impl SigningKey {
    /// Derives the keys from `secret`.
    #[must_use]
    pub fn new(secret: &SecretKey) -> Self {
        let bytes = secret.0.as_bytes();
        let root = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let derived =
            |purpose: &str| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, purpose.as_bytes()).as_ref());
        Self {
            id: key_id(&secret.0),
            encoding: EncodingKey::from_secret(bytes),
            decoding: DecodingKey::from_secret(bytes),
            tags: derived("tags of refresh tokens"),
            successors: derived("successors of refresh tokens"),
        }
    }

    /// The id of the key, which reveals nothing about the secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// A hash of a secret, by which a token names the secret that signed it.
fn key_id(secret: &str) -> String {
    let digest = digest::digest(&digest::SHA256, format!("kid:{secret}").as_bytes());
    digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The valid signing keys: the current one and the previous one.
#[derive(Clone)]
pub struct SigningKeys {
    /// The key that signs new tokens.
    pub current: SigningKey,
    previous: Option<SigningKey>,
}

impl SigningKeys {
    /// Derives the keys from both versions of the secret.
    ///
    /// # Errors
    /// When the current secret is too weak.
    pub fn new(versions: Versions) -> Result<Self, &'static str> {
        let current = SigningKey::new(&SecretKey::try_from(versions.current)?);
        // A weak secret that has just been replaced must not stop the function.
        let previous = versions.previous.and_then(|secret| SecretKey::try_from(secret).ok());
        Ok(Self { current, previous: previous.as_ref().map(SigningKey::new) })
    }

    /// The key with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&SigningKey> {
        self.all().find(|key| key.id == id)
    }

    /// All keys, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &SigningKey> {
        [Some(&self.current), self.previous.as_ref()].into_iter().flatten()
    }
}

/// Holds the signing keys, and reads the secret again when a token names an unknown key.
pub struct Keyring {
    secrets: Secrets,
    arn: String,
    keys: RwLock<Arc<SigningKeys>>,
    read_at: Mutex<Option<Millis>>,
}

impl Keyring {
    /// Reads the current secret with this ARN. The previous one is read when a token names its key.
    ///
    /// # Errors
    /// When the secret cannot be read or is too weak.
    pub async fn open(secrets: Secrets, arn: String) -> Result<Self> {
        let keys = derive_keys(Versions { current: secrets.read(&arn).await?, previous: None })?;
        Ok(Self { secrets, arn, keys: RwLock::new(Arc::new(keys)), read_at: Mutex::default() })
    }

    /// The keys as last read.
    #[must_use]
    pub fn keys(&self) -> Arc<SigningKeys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys. If none has this id, both secrets are read again, at most once a minute.
    pub async fn keys_with(&self, id: &str) -> Arc<SigningKeys> {
        let known = self.keys();
        if known.find(id).is_some() {
            return known;
        }
        self.reload().await;
        self.keys()
    }

    async fn reload(&self) {
        let mut read_at = self.read_at.lock().await;
        let now = clock::now();
        if read_at.is_some_and(|at| at.plus_seconds(PAUSE_SECONDS) > now && at <= now) {
            return;
        }
        *read_at = Some(now);
        match self.secrets.read_versions(&self.arn).await.and_then(derive_keys) {
            Ok(keys) => *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys),
            Err(error) => {
                tracing::error!(?error, "cannot load the rotated signing key; keeping the current one");
            }
        }
    }
}

fn derive_keys(versions: Versions) -> Result<SigningKeys> {
    SigningKeys::new(versions).map_err(|problem| Error::internal(format!("the signing secret {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_repetitive_and_example_secrets_are_refused() {
        for bad in [
            "",
            "short",
            &"a".repeat(64),
            "your-secret-key-change-it-in-production-0123456789",
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
            "django-insecure-4f1d0f0c9e8b7a6d5c4b3a29181706f5",
        ] {
            assert!(SecretKey::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(SecretKey::try_from("4f1d0f0c9e8b7a6d5c4b3a29181706f5".to_owned()).is_ok());
    }

    #[test]
    fn after_a_rotation_both_keys_are_valid_and_the_new_one_signs() {
        let (old, new) = ("4f1d0f0c9e8b7a6d5c4b3a29181706f5", "5f1d0f0c9e8b7a6d5c4b3a29181706f5");
        let before = SigningKeys::new(Versions { current: old.to_owned(), previous: None }).ok().unwrap();
        let after = Versions { current: new.to_owned(), previous: Some(old.to_owned()) };
        let after = SigningKeys::new(after).ok().unwrap();
        assert!(after.find(before.current.id()).is_some());
        assert_ne!(after.current.id(), before.current.id());
        assert!(before.find(after.current.id()).is_none());
        let worse = Versions { current: "short".to_owned(), previous: None };
        assert!(SigningKeys::new(worse).is_err());
    }
}
