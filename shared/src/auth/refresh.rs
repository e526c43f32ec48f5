//! Refresh tokens: opaque, 256 random bits, of which only a hash is stored. Each use gives a successor, which is
//! computed from the token and a key of ours: so the one before, presented again by a second tab or because the
//! answer was lost, gives the same successor, though only hashes are stored.

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::{SecretKey, hash_opaque};
use crate::domain::{SessionId, UserId};
use crate::error::{Error, Result};

const PREFIX: &str = "rt_";
const SECRET_BYTES: usize = 32;

/// A refresh token that we issued: whose it is, of which session, and the secret. It is never printed but to its
/// owner. It carries a tag of ours, so that a made-up one is told from one that was used before: only the latter
/// ends a session.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    user: UserId,
    session: SessionId,
    secret: [u8; SECRET_BYTES],
    text: String,
}

/// Tags refresh tokens and computes their successors.
#[derive(Clone)]
pub struct RefreshKey {
    tags: hmac::Key,
    successors: hmac::Key,
}

impl RefreshKey {
    /// The key that follows from the secret of the studio.
    #[must_use]
    pub fn new(secret: &SecretKey) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        // A key of its own for each use: what signs access tokens computes nothing else.
        let derived = |purpose: &str| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&secret, purpose.as_bytes()).as_ref())
        };
        Self { tags: derived("tags of refresh tokens"), successors: derived("successors of refresh tokens") }
    }
}

impl RefreshToken {
    /// The first token of a session.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn first(user: UserId, session: SessionId, key: &RefreshKey) -> Result<Self> {
        let mut secret = [0; SECRET_BYTES];
        rand::fill(&mut secret).map_err(Error::internal)?;
        Ok(Self::new(user, session, secret, key))
    }

    fn new(user: UserId, session: SessionId, secret: [u8; SECRET_BYTES], key: &RefreshKey) -> Self {
        let untagged = format!("{user}.{session}.{}", BASE64.encode(secret));
        let tag = hmac::sign(&key.tags, untagged.as_bytes());
        Self { user, session, secret, text: format!("{PREFIX}{untagged}.{}", BASE64.encode(tag)) }
    }

    /// The token that `text` is, if we issued it.
    #[must_use]
    pub fn parse(text: &str, key: &RefreshKey) -> Option<Self> {
        let (untagged, tag) = text.strip_prefix(PREFIX)?.rsplit_once('.')?;
        hmac::verify(&key.tags, untagged.as_bytes(), &BASE64.decode(tag).ok()?).ok()?;
        let mut parts = untagged.splitn(3, '.');
        let (user, session) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let secret = BASE64.decode(parts.next()?).ok()?.try_into().ok()?;
        Some(Self { user, session, secret, text: text.to_owned() })
    }

    /// The token that takes this one's place, always the same.
    #[must_use]
    pub fn successor(&self, key: &RefreshKey) -> Self {
        let tag = hmac::sign(&key.successors, self.text.as_bytes());
        let mut secret = [0; SECRET_BYTES];
        for (byte, of_tag) in secret.iter_mut().zip(tag.as_ref()) {
            *byte = *of_tag;
        }
        Self::new(self.user, self.session, secret, key)
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> String {
        hash_opaque(&self.text)
    }

    /// What its owner gets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Of which session it is.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulid::Ulid;

    fn token(key: &RefreshKey) -> RefreshToken {
        let (user, session) = (UserId::new(Ulid::from_parts(1, 1)), SessionId::new(Ulid::from_parts(2, 2)));
        RefreshToken::first(user, session, key).unwrap()
    }

    fn key(secret: &str) -> RefreshKey {
        RefreshKey::new(&SecretKey::try_from(secret.to_owned()).unwrap())
    }

    fn ours() -> RefreshKey {
        key("0123456789abcdef0123456789ABCDEF")
    }

    #[test]
    fn a_token_is_read_back_and_one_with_anything_changed_is_not() {
        let text = token(&ours()).text;
        assert!(RefreshToken::parse(&text, &ours()).is_some());
        assert!(RefreshToken::parse(&text, &key("fedcba9876543210fedcba9876543210")).is_none());
        for position in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(bytes).unwrap();
            assert!(RefreshToken::parse(&forged, &ours()).is_none(), "byte {position}");
        }
        for forged in ["", "rt_", "rt_...", &format!("{text}="), &format!(" {text}"), text.get(1..).unwrap()]
        {
            assert!(RefreshToken::parse(forged, &ours()).is_none(), "{forged}");
        }
    }

    #[test]
    fn the_successor_is_always_the_same_and_needs_our_key() {
        let (token, theirs) = (token(&ours()), key("fedcba9876543210fedcba9876543210"));
        let successor = token.successor(&ours());
        assert!(successor == token.successor(&ours()));
        assert!(successor != token && successor.secret != token.successor(&theirs).secret);
        assert!(successor.successor(&ours()) != successor);
        assert_eq!((successor.user(), successor.session()), (token.user(), token.session()));
    }
}
