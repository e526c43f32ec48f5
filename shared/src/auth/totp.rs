//! The second factor: time-based one-time passwords (RFC 6238: SHA-1, 6 digits, 30 s), and recovery codes.

use aws_lc_rs::{hmac, rand};
use data_encoding::BASE32_NOPAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::hash_opaque;
use crate::domain::{Millis, SecondFactor, Totp, Username};
use crate::error::{Error, Result};

const STEP_SECONDS: u64 = 30;
/// The codes of one step before and one step after are valid too, because clocks differ and typing takes time.
const STEPS_OFF: u64 = 1;
const SECRET_BYTES: usize = 20;
/// How many recovery codes a user gets.
const RECOVERY_CODES: usize = 10;
const RECOVERY_BYTES: usize = 10;

/// A new secret for an authenticator app, in base32.
///
/// # Errors
/// When the operating system has no randomness.
pub fn new_totp_secret() -> Result<String> {
    let mut secret = [0; SECRET_BYTES];
    rand::fill(&mut secret).map_err(Error::internal)?;
    Ok(BASE32_NOPAD.encode(&secret))
}

/// The URI that passes a secret to an authenticator app, to be shown as a QR code.
#[must_use]
pub fn totp_address(username: &Username, secret: &str) -> String {
    let label = utf8_percent_encode(username.as_str(), NON_ALPHANUMERIC);
    format!("otpauth://totp/AI%20Chat%20Studio:{label}?secret={secret}&issuer=AI%20Chat%20Studio")
}

/// New recovery codes: the text of each for the user, and the hash that is stored.
///
/// # Errors
/// When the operating system has no randomness.
pub fn new_recovery_codes() -> Result<Vec<(String, String)>> {
    let code = |_| {
        let mut bytes = [0; RECOVERY_BYTES];
        rand::fill(&mut bytes).map_err(Error::internal)?;
        let text = BASE32_NOPAD.encode(&bytes).to_lowercase();
        let parts: Vec<&str> =
            [0..4, 4..8, 8..12, 12..16].into_iter().filter_map(|part| text.get(part)).collect();
        Ok((parts.join("-"), hash_opaque(&text)))
    };
    (0..RECOVERY_CODES).map(code).collect()
}

/// The second factor that `code` is at `now`: an unused code of the authenticator app, or a recovery code.
#[must_use]
pub(super) fn second_factor<'a>(
    totp: &Totp,
    recovery_hashes: impl IntoIterator<Item = &'a String>,
    code: &str,
    now: Millis,
) -> Option<SecondFactor> {
    let typed: String =
        code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>().to_lowercase();
    if let Some(step) = matching_step(&totp.secret, &typed, now).filter(|step| *step > totp.last_step) {
        return Some(SecondFactor::Step(step));
    }
    let hash = hash_opaque(&typed);
    recovery_hashes.into_iter().any(|known| *known == hash).then_some(SecondFactor::Recovery(hash))
}

/// The time step near `now` that `code` belongs to; `None` if it is wrong.
#[must_use]
pub(super) fn matching_step(secret: &str, code: &str, now: Millis) -> Option<u64> {
    if code.len() != 6 {
        return None;
    }
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).ok()?;
    let step = now.seconds() / STEP_SECONDS;
    (step.saturating_sub(STEPS_OFF)..=step + STEPS_OFF).find(|step| code_at(&secret, *step) == code)
}

fn code_at(secret: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or_default() & 0x0f);
    let bytes: [u8; 4] =
        tag.get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    format!("{:06}", (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_match_the_examples_of_the_standard() {
        // RFC 6238, appendix B, the last six of its eight digits.
        let secret = b"12345678901234567890";
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(secret, seconds / 30), code, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_valid_one_step_early_or_late_and_only_once() {
        let secret = BASE32_NOPAD.encode(b"12345678901234567890");
        let at = |seconds: u64| Millis::saturating(seconds * 1000);
        let step = 1_111_111_111 / 30;
        for (seconds, counts) in [(-60_i64, false), (-30, true), (0, true), (30, true), (60, false)] {
            let now = at(1_111_111_111_u64.saturating_add_signed(seconds));
            assert_eq!(matching_step(&secret, "050471", now), counts.then_some(step), "{seconds}");
        }
        let totp = |last_step| Totp { secret: secret.clone(), last_step };
        let none = Vec::<String>::new();
        let now = at(1_111_111_111);
        assert_eq!(second_factor(&totp(step - 1), &none, "050 471", now), Some(SecondFactor::Step(step)));
        assert_eq!(second_factor(&totp(step), &none, "050471", now), None);
        assert_eq!(second_factor(&totp(0), &none, "", now), None);
    }

    #[test]
    fn recovery_codes_are_recognised_in_any_spelling() {
        let codes = new_recovery_codes().unwrap();
        assert_eq!(codes.len(), 10);
        let hashes: Vec<String> = codes.iter().map(|(_, hash)| hash.clone()).collect();
        let totp = Totp { secret: new_totp_secret().unwrap(), last_step: 0 };
        let found =
            second_factor(&totp, &hashes, &codes[3].0.to_uppercase().replace('-', " "), Millis::default());
        assert_eq!(found, Some(SecondFactor::Recovery(hashes[3].clone())));
        assert_eq!(second_factor(&totp, &hashes[..3], &codes[3].0, Millis::default()), None);
    }
}
