//! Forged access tokens are refused over HTTP, at the connect and in `auth` frames.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{Connection, TestStudio, User, eventually, studio_with};

/// The signing secret of the tests: even with it, only tokens in the exact format are accepted.
pub(crate) const SECRET: &str = "3f8a1c5e7b9d2f4a6c8e0b1d3f5a7c9e";

pub(crate) struct Forger {
    header: Value,
    claims: Value,
}

fn sign_with(secret: &[u8], algorithm: hmac::Algorithm, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn sign(header: &str, claims: &str) -> String {
    sign_with(SECRET.as_bytes(), hmac::HMAC_SHA256, header, claims)
}

impl Forger {
    /// Parses a real token.
    pub(crate) fn new(token: &str) -> Self {
        let part = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        let mut parts = token.split('.');
        Self { header: part(parts.next().unwrap()), claims: part(parts.next().unwrap()) }
    }

    fn genuine(&self) -> String {
        sign(&self.header.to_string(), &self.claims.to_string())
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[name] = value;
        sign(&header.to_string(), &self.claims.to_string())
    }

    pub(crate) fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        sign(&self.header.to_string(), &claims.to_string())
    }

    fn headers(&self) -> Vec<String> {
        let mut forged = Vec::new();
        for algorithm in ["none", "None", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", ""] {
            forged.push(self.with_header("alg", json!(algorithm)));
        }
        for name in ["alg", "typ", "kid"] {
            for wrong in [json!(null), json!(1), json!([]), json!({}), json!(true), json!("x"), json!("JWT")]
            {
                forged.push(self.with_header(name, wrong));
            }
            let mut header = self.header.clone();
            header.as_object_mut().unwrap().remove(name);
            forged.push(sign(&header.to_string(), &self.claims.to_string()));
        }
        for kid in ["00000000", "../../etc/passwd", "' OR 1=1", "\u{0}"] {
            forged.push(self.with_header("kid", json!(kid)));
        }
        for crit in [json!(["exp"]), json!([]), json!("exp"), json!(["b64"]), json!(1)] {
            forged.push(self.with_header("crit", crit));
        }
        forged
    }

    fn claims(&self) -> Vec<String> {
        let mut forged = Vec::new();
        let wrong = [
            json!(null),
            json!([]),
            json!({}),
            json!(true),
            json!(-1),
            json!(1.5),
            json!(""),
            json!("x"),
            json!([1]),
        ];
        for name in ["iss", "aud", "sub", "sid", "exp", "nbf", "iat", "jti", "ver"] {
            let mut claims = self.claims.clone();
            claims.as_object_mut().unwrap().remove(name);
            forged.push(sign(&self.header.to_string(), &claims.to_string()));
            forged.extend(wrong.iter().map(|value| self.with_claim(name, value.clone())));
        }
        let now = self.claims["iat"].as_u64().unwrap();
        for (name, value) in [
            ("exp", json!(now - 60)),
            ("exp", json!(now.to_string())),
            ("exp", json!(0)),
            ("nbf", json!(now + 600)),
            ("iat", json!(now + 600)),
            ("ver", json!(2)),
            ("ver", json!(0)),
            ("iss", json!(["ai-chat-studio"])),
            ("aud", json!(["ai-chat-studio"])),
            ("aud", json!(["ai-chat-studio", "other"])),
            ("sub", json!("user_01KAM0TVT0C9B6JYQ4GXFMWV3H")),
            ("sid", json!("sess_01KAM0TVT0C9B6JYQ4GXFMWV3H")),
            ("sub", json!(self.claims["sub"].as_str().unwrap().to_lowercase())),
        ] {
            forged.push(self.with_claim(name, value));
        }
        forged
    }

    fn texts(&self) -> Vec<String> {
        let (head, body) = (self.header.to_string(), self.claims.to_string());
        let genuine = self.genuine();
        let mut parts = genuine.split('.');
        let (header, claims, tag) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let mut forged = vec![
            sign_with(b"", hmac::HMAC_SHA256, &head, &body),
            sign_with(b"secret", hmac::HMAC_SHA256, &head, &body),
            sign_with(SECRET.as_bytes(), hmac::HMAC_SHA512, &head, &body),
            sign_with(SECRET.to_uppercase().as_bytes(), hmac::HMAC_SHA256, &head, &body),
            format!("{header}.{claims}."),
            format!("{header}.{claims}"),
            format!("{header}..{tag}"),
            format!(".{claims}.{tag}"),
            format!("{claims}.{header}.{tag}"),
            format!("{header}.{claims}.{tag}.{tag}"),
            format!("{genuine}="),
            format!("{genuine}."),
            format!("{genuine}A"),
            format!("{}.{claims}.{tag}", URL_SAFE.encode(&head)),
            format!("{header}.{}.{tag}", URL_SAFE.encode(format!(" {body}"))),
            "x".repeat(4000),
            "a.b.c".to_owned(),
            "..".to_owned(),
        ];
        for name in ["ver", "sub", "exp", "aud"] {
            let twice = body.replacen('{', &format!("{{\"{name}\":{},", self.claims[name]), 1);
            forged.push(sign(&head, &twice));
        }
        for name in ["alg", "typ", "kid"] {
            let twice = head.replacen('{', &format!("{{\"{name}\":{},", self.header[name]), 1);
            forged.push(sign(&twice, &body));
        }
        // Changes one letter of each part after another.
        for position in (0..genuine.len()).step_by(7) {
            let mut bytes = genuine.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            forged.push(String::from_utf8(bytes).unwrap());
        }
        forged
    }
}

async fn forger_of(studio: &TestStudio, ada: &User) -> Forger {
    let forger = Forger::new(&ada.token);
    let genuine = ada.with_token(&forger.genuine());
    genuine.get("/api/auth/me").await.expect(200);
    drop(Connection::open(&format!("{}?token={}", studio.ws_url(), forger.genuine())).await.unwrap());
    forger
}

#[tokio::test]
async fn forged_tokens_are_refused_over_http_at_the_connect_and_in_frames() {
    let studio = studio_with(|options| options.variable("SECRET_KEY", SECRET)).await;
    let ada = studio.user("ada").await;
    let forger = forger_of(&studio, &ada).await;
    let forged: Vec<String> =
        [forger.headers(), forger.claims(), forger.texts()].into_iter().flatten().collect();
    assert!(forged.len() >= 200, "{}", forged.len());
    assert!(!forged.contains(&forger.genuine()));
    let (mut over_http, mut at_connect, mut in_frames) = (0, 0, 0);
    for token in &forged {
        // A token that is not a valid header value cannot be sent.
        over_http += u32::from(ada.with_token(token).get("/api/auth/me").await.status == 200);
        let address = format!("{}?token={token}", studio.ws_url());
        at_connect += u32::from(Connection::open(&address).await.is_ok());
        let mut connection = studio.connect().await;
        connection.send(&json!({"type": "auth", "token": token})).await;
        in_frames += u32::from(connection.next_any().await["type"] != "auth_failed");
    }
    println!(
        "{} forged tokens: {over_http} accepted over HTTP, {at_connect} at the connect, {in_frames} in auth frames",
        forged.len()
    );
    assert_eq!((over_http, at_connect, in_frames), (0, 0, 0));
    eventually("every refused connection is closed", || async { (studio.connections() == 0).then_some(()) })
        .await;
    ada.with_token(&forger.genuine()).get("/api/auth/me").await.expect(200);
}
