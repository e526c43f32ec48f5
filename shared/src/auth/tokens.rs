//! Access tokens: JWT, HS256, `typ: at+jwt`. What jsonwebtoken leaves open by default is closed here.

use aws_lc_rs::digest;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::domain::{Millis, SessionId, UserId};
use crate::error::{Error, Result};

const ISSUER: &str = "ai-chat-studio";
const AUDIENCE: &str = "ai-chat-studio";
const TYPE: &str = "at+jwt";
/// Clocks of two machines may differ by this many seconds.
const LEEWAY: u64 = 5;
/// Ours have about 400; whatever is much longer is not looked at.
const LONGEST: usize = 2048;

/// The secret that signs tokens. It is never printed.
#[derive(Clone)]
pub struct SecretKey(String);

impl TryFrom<String> for SecretKey {
    type Error = &'static str;

    fn try_from(secret: String) -> Result<Self, Self::Error> {
        let mut characters: Vec<char> = secret.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        let lower = secret.to_lowercase();
        let is_example = ["secret-key", "secret_key", "changeme", "change-me", "your-", "example"]
            .iter()
            .any(|e| lower.contains(e));
        if secret.len() < 32 || characters.len() < 10 || is_example {
            return Err("must be at least 32 bytes of randomness; `openssl rand -hex 32` makes a good one");
        }
        Ok(Self(secret))
    }
}

impl SecretKey {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    /// Whose it is.
    pub sub: UserId,
    /// The session it belongs to.
    pub sid: SessionId,
    /// When it ends, in seconds since the epoch.
    pub exp: u64,
    nbf: u64,
    iat: u64,
    jti: Ulid,
    /// The version of the user's tokens it belongs to.
    pub ver: u64,
}

/// Issues and verifies access tokens.
#[derive(Clone)]
pub struct Tokens {
    key_id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    lifetime_seconds: u64,
}

impl Tokens {
    /// Tokens signed with `secret` that live for `lifetime_minutes`.
    #[must_use]
    pub fn new(secret: &SecretKey, lifetime_minutes: u64) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        Self {
            key_id: key_id(secret),
            encoding: EncodingKey::from_secret(secret.0.as_bytes()),
            decoding: DecodingKey::from_secret(secret.0.as_bytes()),
            validation,
            lifetime_seconds: lifetime_minutes * 60,
        }
    }

    /// How long a new token lives, in seconds.
    #[must_use]
    pub fn lifetime_seconds(&self) -> u64 {
        self.lifetime_seconds
    }

    /// A new token for `user` in `session`.
    ///
    /// # Errors
    /// Only when the cryptography library fails.
    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        version: u64,
        now: Millis,
        id: Ulid,
    ) -> Result<String> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            exp: now.seconds() + self.lifetime_seconds,
            nbf: now.seconds(),
            iat: now.seconds(),
            jti: id,
            ver: version,
        };
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, &claims, &self.encoding).map_err(Error::internal)
    }

    /// What `token` says, when it is ours, whole, and in its time.
    #[must_use]
    pub fn verify(&self, token: &str, now: Millis) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        let header = decoded.header;
        let header_is_ours = header.typ.as_deref() == Some(TYPE)
            && header.kid.as_deref() == Some(self.key_id.as_str())
            && header.crit.is_none();
        let claims = decoded.claims;
        let in_its_time = claims.iat <= now.seconds() + LEEWAY && claims.iat < claims.exp;
        (header_is_ours && in_its_time).then_some(claims)
    }
}

/// Names a secret without telling it, so that a token says which secret signed it.
fn key_id(secret: &SecretKey) -> String {
    let digest = digest::digest(&digest::SHA256, format!("kid:{}", secret.0).as_bytes());
    digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    use serde_json::{Value, json};

    const SECRET: &str = "0123456789abcdef0123456789ABCDEF";

    fn tokens() -> Tokens {
        Tokens::new(&SecretKey(SECRET.to_owned()), 30)
    }

    fn header() -> Value {
        json!({"alg": "HS256", "typ": TYPE, "kid": tokens().key_id})
    }

    fn claims() -> Value {
        let now = crate::clock::now().seconds();
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": UserId::new(Ulid::from_parts(1, 1)).to_string(),
            "sid": SessionId::new(Ulid::from_parts(1, 1)).to_string(), "exp": now + 60, "nbf": now, "iat": now,
            "jti": Ulid::from_parts(1, 1).to_string(), "ver": 1,
        })
    }

    fn sign(header: &str, claims: &str) -> String {
        let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
        let signature = aws_lc_rs::hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature))
    }

    fn accepts(header: &Value, claims: &Value) -> bool {
        tokens().verify(&sign(&header.to_string(), &claims.to_string()), crate::clock::now()).is_some()
    }

    #[test]
    fn a_token_of_ours_is_accepted_and_says_what_was_put_in() {
        let now = crate::clock::now();
        let (user, session) = (UserId::new(Ulid::from_parts(7, 7)), SessionId::new(Ulid::from_parts(8, 8)));
        let token = tokens().issue(user, session, 3, now, Ulid::from_parts(9, 9)).unwrap();
        let claims = tokens().verify(&token, now).unwrap();
        assert_eq!((claims.sub, claims.sid, claims.ver), (user, session, 3));
        assert_eq!(claims.exp, now.seconds() + 1800);
        assert!(accepts(&header(), &self::claims()), "the forgeries below differ from this one alone");
    }

    #[test]
    fn a_claim_that_is_missing_mistyped_or_out_of_its_time_is_refused() {
        let wrong =
            [json!(null), json!([]), json!({}), json!(true), json!(-1), json!(1.5), json!(""), json!("x")];
        for name in ["iss", "aud", "sub", "sid", "exp", "nbf", "iat", "jti", "ver"] {
            let mut missing = claims();
            missing.as_object_mut().unwrap().remove(name);
            assert!(!accepts(&header(), &missing), "without {name}");
            for value in &wrong {
                let mut mistyped = claims();
                mistyped[name] = value.clone();
                assert!(!accepts(&header(), &mistyped), "{name} = {value}");
            }
        }
        let now = crate::clock::now().seconds();
        let untimely = [("exp", now - 10), ("nbf", now + 60), ("iat", now + 60)];
        for (name, value) in untimely {
            let mut claims = claims();
            claims[name] = json!(value);
            assert!(!accepts(&header(), &claims), "{name}");
        }
        let mut list = claims();
        list["iss"] = json!([ISSUER]);
        assert!(!accepts(&header(), &list), "a list of issuers");
        list = claims();
        list["aud"] = json!([AUDIENCE]);
        assert!(!accepts(&header(), &list), "a list of audiences");
    }

    #[test]
    fn a_header_that_is_not_ours_is_refused() {
        for (name, value) in [
            ("alg", json!("none")),
            ("alg", json!("HS384")),
            ("alg", json!("RS256")),
            ("typ", json!("JWT")),
            ("typ", json!(null)),
            ("kid", json!("00000000")),
            ("kid", json!(null)),
            ("crit", json!(["exp"])),
            ("crit", json!([])),
        ] {
            let mut forged = header();
            forged[name] = value.clone();
            assert!(!accepts(&forged, &claims()), "{name} = {value}");
        }
    }

    #[test]
    fn a_token_with_anything_changed_added_or_doubled_is_refused() {
        let (head, body) = (header().to_string(), claims().to_string());
        let token = sign(&head, &body);
        let verify = |token: &str| tokens().verify(token, crate::clock::now()).is_some();
        assert!(verify(&token));
        for forged in [
            format!("{token}="),
            format!("{token} "),
            format!(" {token}"),
            format!("{token}."),
            format!("{token}\n"),
            token.replacen('.', "..", 1),
            token.rsplit_once('.').unwrap().0.to_owned() + ".",
            String::new(),
            "a.b.c".to_owned(),
            "x".repeat(LONGEST + 1),
            sign(&head, &body.replacen('{', "{\"ver\":1,", 1)),
            sign(&head.replacen('{', "{\"alg\":\"HS256\",", 1), &body),
        ] {
            assert!(!verify(&forged), "{forged:.80}");
        }
        for position in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            assert!(!verify(&String::from_utf8(bytes).unwrap()), "byte {position}");
        }
    }

    #[test]
    fn a_weak_secret_is_refused() {
        for weak in ["", "short", &"a".repeat(64), "your-secret-key-change-in-production-0123456789"] {
            assert!(SecretKey::try_from(weak.to_owned()).is_err(), "{weak}");
        }
        assert!(SecretKey::try_from("3f8a1c5e7b9d2f4a6c8e0b1d3f5a7c9e".to_owned()).is_ok());
    }
}
