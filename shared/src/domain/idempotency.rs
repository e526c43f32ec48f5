//! Idempotency keys: a client may repeat a request, and the request takes effect only once.

use std::str::FromStr;

use super::RuleBroken;

/// The `Idempotency-Key` of a request: 1 to 128 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = RuleBroken;

    fn from_str(text: &str) -> Result<Self, RuleBroken> {
        if !(1..=128).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RuleBroken("must have 1 to 128 visible ASCII characters".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The identity of a request that takes effect once: its key, and a fingerprint of its route and body. A request with
/// the same key and another fingerprint is a mistake of the client and is refused.
#[derive(Clone, Debug)]
pub struct Once {
    /// The key that the client chose.
    pub key: IdempotencyKey,
    /// A hash of the route with its path parameters, and of the body.
    pub fingerprint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_128_visible_ascii_characters() {
        assert!(["k", &"x".repeat(128)].iter().all(|good| good.parse::<IdempotencyKey>().is_ok()));
        for bad in ["", "a b", "ключ", &"x".repeat(129)] {
            assert!(bad.parse::<IdempotencyKey>().is_err(), "{bad}");
        }
    }
}
