//! Refresh tokens: 256 random bits, of which only a hash is stored. Each use gives a successor, which is computed
//! from the token and a signing key. So the previous token, sent again by a second tab or after a lost answer, gives
//! the same successor although only hashes are stored.

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::{SigningKey, SigningKeys, hash_opaque};
use crate::domain::{SessionId, UserId};
use crate::error::{Error, Result};

const PREFIX: &str = "rt_";
const SECRET_BYTES: usize = 32;

/// A refresh token that the studio issued. Its tag tells a forged token from one that was used before; only the
/// latter ends a session.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    user: UserId,
    session: SessionId,
    secret: [u8; SECRET_BYTES],
    text: String,
}

impl RefreshToken {
    /// Creates the first token of a session.
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

    /// The id of the key that `text` names. It proves nothing until the tag is verified.
    #[must_use]
    pub fn key_id(text: &str) -> Option<&str> {
        text.strip_prefix(PREFIX)?.split('.').next()
    }

    /// Parses a token; `None` unless one of these keys tagged it.
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

    /// The token that replaces this one. The same key always gives the same successor.
    #[must_use]
    pub fn successor(&self, key: &SigningKey) -> Self {
        let tag = hmac::sign(&key.successors, self.text.as_bytes());
        let mut secret = [0; SECRET_BYTES];
        for (byte, of_tag) in secret.iter_mut().zip(tag.as_ref()) {
            *byte = *of_tag;
        }
        Self::new(self.user, self.session, secret, key)
    }

    /// The hash that is stored.
    #[must_use]
    pub fn hash(&self) -> String {
        hash_opaque(&self.text)
    }

    /// The text of the token, for its owner.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The user that the token belongs to.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The session that the token belongs to.
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
    fn a_token_is_parsed_and_a_changed_one_is_refused() {
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
    fn the_successor_depends_only_on_token_and_key() {
        let (ours, theirs) = (keys(OURS, None), keys(THEIRS, None));
        let first = token(&ours);
        let successor = first.successor(&ours.current);
        assert!(successor == first.successor(&ours.current));
        assert!(successor != first && successor.secret != first.successor(&theirs.current).secret);
        assert!(successor.successor(&ours.current) != successor);
        assert_eq!((successor.user(), successor.session()), (first.user(), first.session()));
    }

    #[test]
    fn a_token_of_the_previous_key_is_valid_and_its_successor_has_the_current_key() {
        let old = token(&keys(THEIRS, None));
        let rotated = keys(OURS, Some(THEIRS));
        let read = RefreshToken::parse(&old.text, &rotated).unwrap();
        let successor = read.successor(&rotated.current);
        assert_eq!(RefreshToken::key_id(successor.as_str()), Some(rotated.current.id()));
        assert!(RefreshToken::parse(successor.as_str(), &keys(OURS, None)).is_some());
    }
}
