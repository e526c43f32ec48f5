//! Refresh tokens: opaque, 256 random bits, of which only a hash is stored. Each use gives a successor, which is
//! computed from the token and a key of ours: so the one before, presented again by a second tab or because the
//! answer was lost, gives the same successor, though only hashes are stored.

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::{SigningKey, SigningKeys, hash_opaque};
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

impl RefreshToken {
    /// The first token of a session.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn first(user: UserId, session: SessionId, key: &SigningKey) -> Result<Self> {
        let mut secret = [0; SECRET_BYTES];
        rand::fill(&mut secret).map_err(Error::internal)?;
        Ok(Self::new(user, session, secret, key))
    }

    fn new(user: UserId, session: SessionId, secret: [u8; SECRET_BYTES], key: &SigningKey) -> Self {
        let untagged = format!("{}.{user}.{session}.{}", key.id, BASE64.encode(secret));
        let tag = hmac::sign(&key.tags, untagged.as_bytes());
        Self { user, session, secret, text: format!("{PREFIX}{untagged}.{}", BASE64.encode(tag)) }
    }

    /// The key that `text` says it is tagged with, which proves nothing yet.
    #[must_use]
    pub fn key_id(text: &str) -> Option<&str> {
        text.strip_prefix(PREFIX)?.split('.').next()
    }

    /// The token that `text` is, if we issued it with one of these keys.
    #[must_use]
    pub fn parse(text: &str, keys: &SigningKeys) -> Option<Self> {
        let key = keys.find(Self::key_id(text)?)?;
        let (untagged, tag) = text.strip_prefix(PREFIX)?.rsplit_once('.')?;
        hmac::verify(&key.tags, untagged.as_bytes(), &BASE64.decode(tag).ok()?).ok()?;
        let mut parts = untagged.splitn(4, '.').skip(1);
        let (user, session) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let secret = BASE64.decode(parts.next()?).ok()?.try_into().ok()?;
        Some(Self { user, session, secret, text: text.to_owned() })
    }

    /// The token that takes this one's place: with one key, always the same.
    #[must_use]
    pub fn successor(&self, key: &SigningKey) -> Self {
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
    use crate::aws::secrets::Versions;
    use ulid::Ulid;

    fn token(keys: &SigningKeys) -> RefreshToken {
        let (user, session) = (UserId::new(Ulid::from_parts(1, 1)), SessionId::new(Ulid::from_parts(2, 2)));
        RefreshToken::first(user, session, &keys.current).unwrap()
    }

    fn keys(current: &str, previous: Option<&str>) -> SigningKeys {
        let previous = previous.map(str::to_owned);
        SigningKeys::new(Versions { current: current.to_owned(), previous }).ok().unwrap()
    }

    const OURS: &str = "0123456789abcdef0123456789ABCDEF";
    const THEIRS: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn a_token_is_read_back_and_one_with_anything_changed_is_not() {
        let ours = keys(OURS, None);
        let text = token(&ours).text;
        assert!(RefreshToken::parse(&text, &ours).is_some());
        assert!(RefreshToken::parse(&text, &keys(THEIRS, None)).is_none());
        for position in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(bytes).unwrap();
            assert!(RefreshToken::parse(&forged, &ours).is_none(), "byte {position}");
        }
        for forged in ["", "rt_", "rt_....", &format!("{text}="), &format!(" {text}"), text.get(1..).unwrap()]
        {
            assert!(RefreshToken::parse(forged, &ours).is_none(), "{forged}");
        }
    }

    #[test]
    fn the_successor_is_always_the_same_and_needs_our_key() {
        let (ours, theirs) = (keys(OURS, None), keys(THEIRS, None));
        let token = token(&ours);
        let successor = token.successor(&ours.current);
        assert!(successor == token.successor(&ours.current));
        assert!(successor != token && successor.secret != token.successor(&theirs.current).secret);
        assert!(successor.successor(&ours.current) != successor);
        assert_eq!((successor.user(), successor.session()), (token.user(), token.session()));
    }

    #[test]
    fn a_token_of_the_key_before_is_good_and_its_successor_is_of_the_new_key() {
        let old = token(&keys(THEIRS, None));
        let rotated = keys(OURS, Some(THEIRS));
        let read = RefreshToken::parse(&old.text, &rotated).unwrap();
        let successor = read.successor(&rotated.current);
        assert_eq!(RefreshToken::key_id(successor.as_str()), Some(rotated.current.id()));
        assert!(RefreshToken::parse(successor.as_str(), &keys(OURS, None)).is_some());
    }
}
