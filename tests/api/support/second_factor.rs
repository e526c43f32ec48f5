//! The second factor of a user.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::{PASSWORD, User};

/// The code of an authenticator so many steps later, by RFC 6238.
pub(crate) fn code(secret: &str, steps_later: u64) -> String {
    let mut bits = String::new();
    for letter in secret.chars() {
        let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).unwrap();
        bits.push_str(&format!("{value:05b}"));
    }
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|bits| u8::from_str_radix(str::from_utf8(bits).unwrap(), 2).unwrap())
        .collect();
    let now = seconds_since_1970() / 30 + steps_later;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes), &now.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[expect(clippy::disallowed_methods, reason = "an authenticator has a clock")]
fn seconds_since_1970() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Enrols and confirms a second factor: the secret and the recovery codes.
pub(crate) async fn enrol(ada: &User) -> (String, Vec<Value>) {
    let enrolled = ada.post("/api/auth/totp", &json!({"password": PASSWORD})).await.expect(200).body;
    let secret = enrolled["secret"].as_str().unwrap().to_owned();
    let uri = enrolled["uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/") && uri.contains(&secret), "{uri}");
    let confirmed = ada.post("/api/auth/totp/confirm", &json!({"code": code(&secret, 0)})).await.expect(200);
    (secret, confirmed.body["recovery_codes"].as_array().unwrap().clone())
}
