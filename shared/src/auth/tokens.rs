//! Access tokens: JWT with HS256 and `typ: at+jwt`, checked more strictly than `jsonwebtoken` does by default.

use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::SigningKey;
use crate::domain::{Millis, SessionId, UserId};
use crate::error::{Error, Result};

const ISSUER: &str = "ai-chat-studio";
const AUDIENCE: &str = "ai-chat-studio";
const TYPE: &str = "at+jwt";
/// The number of seconds by which the clocks of two machines may differ.
const LEEWAY: u64 = 5;
/// The most bytes of a token. Tokens of the studio have about 400.
const LONGEST: usize = 2048;

/// The content of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    /// The user.
    pub sub: UserId,
    /// The session.
    pub sid: SessionId,
    /// When the token expires, in seconds since 1970.
    pub exp: u64,
    nbf: u64,
    iat: u64,
    jti: Ulid,
    /// The version of the user's tokens.
    pub ver: u64,
}

/// What a new token is issued for.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The version of the user's tokens.
    pub token_version: u64,
}

/// Issues and verifies access tokens.
#[derive(Clone)]
pub struct Tokens {
    validation: Validation,
    lifetime_seconds: u64,
}

impl Tokens {
    /// Creates an issuer of tokens that are valid for `lifetime_minutes`.
    #[must_use]
    pub fn new(lifetime_minutes: u64) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        Self { validation, lifetime_seconds: lifetime_minutes * 60 }
    }

    /// The number of seconds that a new token is valid for.
    #[must_use]
    pub fn lifetime_seconds(&self) -> u64 {
        self.lifetime_seconds
    }

    /// Issues a token, signed with `key`.
    ///
    /// # Errors
    /// Only when the cryptography library fails.
    pub fn issue(&self, key: &SigningKey, claim: &Claim, now: Millis, id: Ulid) -> Result<String> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: claim.user,
            sid: claim.session,
            exp: now.seconds() + self.lifetime_seconds,
            nbf: now.seconds(),
            iat: now.seconds(),
            jti: id,
            ver: claim.token_version,
        };
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.id.clone());
        jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(Error::internal)
    }

    /// The id of the key that `token` names. It proves nothing until the signature is verified.
    #[must_use]
    pub fn key_id(token: &str) -> Option<String> {
        if token.len() > LONGEST {
            return None;
        }
        jsonwebtoken::decode_header(token).ok()?.kid
    }

    /// The content of `token`; `None` unless `key` signed it and it is valid at `now`.
    #[must_use]
    pub fn verify(&self, key: &SigningKey, token: &str, now: Millis) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let decoded = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation).ok()?;
        let header = decoded.header;
        let is_own_header = header.typ.as_deref() == Some(TYPE)
            && header.kid.as_deref() == Some(key.id.as_str())
            && header.crit.is_none();
        let claims = decoded.claims;
        let is_timely = claims.iat <= now.seconds() + LEEWAY && claims.iat < claims.exp;
        (is_own_header && is_timely).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::super::SecretKey;
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    use serde_json::{Value, json};

    const SECRET: &str = "0123456789abcdef0123456789ABCDEF";

    fn tokens() -> Tokens {
        Tokens::new(30)
    }

    fn key() -> SigningKey {
        SigningKey::new(&SecretKey::try_from(SECRET.to_owned()).unwrap())
    }

    fn header() -> Value {
        json!({"alg": "HS256", "typ": TYPE, "kid": key().id})
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
        let token = sign(&header.to_string(), &claims.to_string());
        tokens().verify(&key(), &token, crate::clock::now()).is_some()
    }

    #[test]
    fn an_issued_token_is_accepted_with_its_content() {
        let now = crate::clock::now();
        let (user, session) = (UserId::new(Ulid::from_parts(7, 7)), SessionId::new(Ulid::from_parts(8, 8)));
        let claim = Claim { user, session, token_version: 3 };
        let token = tokens().issue(&key(), &claim, now, Ulid::from_parts(9, 9)).unwrap();
        assert_eq!(Tokens::key_id(&token).unwrap(), key().id);
        let claims = tokens().verify(&key(), &token, now).unwrap();
        assert_eq!((claims.sub, claims.sid, claims.ver), (user, session, 3));
        assert_eq!(claims.exp, now.seconds() + 1800);
        assert!(accepts(&header(), &self::claims()), "the forgeries below differ from this one alone");
    }

    #[test]
    fn a_missing_mistyped_or_untimely_claim_is_refused() {
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
        for (name, value) in [("exp", now - 10), ("nbf", now + 60), ("iat", now + 60)] {
            let mut untimely = claims();
            untimely[name] = json!(value);
            assert!(!accepts(&header(), &untimely), "{name}");
        }
        let mut list = claims();
        list["iss"] = json!([ISSUER]);
        assert!(!accepts(&header(), &list), "a list of issuers");
        list = claims();
        list["aud"] = json!([AUDIENCE]);
        assert!(!accepts(&header(), &list), "a list of audiences");
    }

    #[test]
    fn a_foreign_header_is_refused() {
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
    fn a_token_with_a_change_an_addition_or_a_duplicate_is_refused() {
        let (head, body) = (header().to_string(), claims().to_string());
        let token = sign(&head, &body);
        let verify = |token: &str| tokens().verify(&key(), token, crate::clock::now()).is_some();
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
}
