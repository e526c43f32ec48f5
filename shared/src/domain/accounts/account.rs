//! Users, their names and addresses, their API keys and their second factor.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;

use crate::domain::text::{RuleBroken, check_length, check_printable, checked_text};
use crate::domain::usage::OwnBudget;
use crate::domain::{Credential, Failures, KeyId, Millis, SessionId, UserId};

/// A registered user. It contains the hash of the password, so it never leaves the crate `shared` as a whole.
#[derive(Clone)]
pub struct User {
    /// The id of the user; never given to another user, even after the account was deleted.
    pub id: UserId,
    /// The username as the user spelled it.
    pub username: Username,
    /// The email address as the user spelled it.
    pub email: Email,
    /// The name that the user wants to be shown.
    pub display_name: Option<DisplayName>,
    /// When the user registered.
    pub created_at: Millis,
    /// The current token version. Access tokens that carry another version are invalid.
    pub token_version: u64,
    /// The live sessions. Tokens of other sessions are invalid.
    pub sessions: BTreeSet<SessionId>,
    /// The API keys that have not been revoked.
    pub keys: BTreeSet<KeyId>,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
    /// The user's own daily limits, where they differ from the limits for all users.
    pub own_budget: OwnBudget,
    /// Wrong passwords since the last correct one.
    pub failures: Failures,
    /// Whether the user has verified the email address.
    pub email_verified: bool,
    /// The second factor, once it has been confirmed.
    pub totp: Option<Totp>,
    /// The secret of a second factor that has not been confirmed yet, in base32.
    pub totp_pending: Option<String>,
    /// Hashes of the unused recovery codes. Each code replaces the second factor once.
    pub recovery_hashes: BTreeSet<String>,
}

/// A confirmed second factor (TOTP).
#[derive(Clone)]
pub struct Totp {
    /// The shared secret, in base32.
    pub secret: String,
    /// The time step of the last code that was used. Codes of this step and of earlier steps are refused.
    pub last_step: u64,
}

/// The proof of a second factor that a login presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// A code of this time step. The store refuses it when a code of this or a later step was used before.
    Step(u64),
    /// The hash of a recovery code, which can be used only once.
    Recovery(String),
}

impl User {
    /// Whether the credential is still valid: a session must be live and its token must carry the current version; an
    /// API key must not be revoked.
    #[must_use]
    pub fn has(&self, credential: Credential, token_version: u64) -> bool {
        match credential {
            Credential::Session(id) => token_version == self.token_version && self.sessions.contains(&id),
            Credential::Key(id) => self.keys.contains(&id),
        }
    }
}

checked_text!(
    /// The name that its owner gave an API key: 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "Nightly job")]
    KeyName,
    |text| check_length(text, 1, 64).and_then(|()| check_printable(text))
);

/// An API key as its owner sees it in lists, without the secret.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The id of the key, which is not secret.
    pub id: KeyId,
    /// The name that the owner gave it.
    pub name: KeyName,
    /// The last characters of the secret, by which the owner recognises the key.
    pub ending: String,
    /// When the key was created.
    pub created_at: Millis,
    /// When the key expires; `None` when it does not.
    pub expires_at: Option<Millis>,
    /// When the key was last used, accurate to a few minutes.
    pub last_used_at: Option<Millis>,
}

checked_text!(
    /// A username: 3 to 32 letters and digits of any script, `_`, `.` and `-`. White space around it is removed.
    #[schema(min_length = 3, max_length = 32, example = "alice")]
    Username,
    trimmed,
    |text| {
        check_length(text, 3, 32)?;
        let allowed = |c: char| is_letter(c) || "_.-".contains(c) || is_mark(c);
        if !text.chars().all(allowed) || !text.chars().any(is_letter) {
            return Err(RuleBroken("may contain only letters, digits, '_', '.' and '-'".to_owned()));
        }
        check_canonical(&canonical(text))
    }
);

checked_text!(
    /// An email address of at most 254 bytes. Only the syntax is checked. White space around it is removed.
    #[schema(format = Email, max_length = 254, example = "alice@example.com")]
    Email,
    trimmed,
    |text| {
        if !is_email(text) {
            return Err(RuleBroken("must be an email address".to_owned()));
        }
        check_canonical(&canonical_email(text))
    }
);

checked_text!(
    /// The name that a user wants to be shown: 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "Alice")]
    DisplayName,
    |text| check_length(text, 1, 64).and_then(|()| check_printable(text))
);

impl Username {
    /// The form in which usernames are compared: names that differ only in case, or that NFKC maps to the same text,
    /// are the same name.
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical(self.as_str())
    }
}

impl Email {
    /// The form in which addresses are compared: as for usernames, and a domain in Punycode equals the domain that it
    /// encodes.
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical_email(self.as_str())
    }
}

/// Whether the character is a visible letter or digit.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !is_invisible(c)
}

/// Whether the character is a visible combining mark, such as a vowel sign. Many scripts cannot write a name without
/// them.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c) && !is_invisible(c)
}

/// Whether the character is a letter or mark that is not displayed (`Default_Ignorable_Code_Point`). Such characters
/// are refused because two names that look the same could differ only in them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

/// Applies NFKC and lower case until nothing changes, because each can produce input for the other. The result is
/// idempotent.
fn canonical(text: &str) -> String {
    let mut last = text.to_owned();
    // No code point of today's Unicode needs more than three rounds; the bound keeps a future version from looping.
    for _ in 0..8 {
        let next: String = last.nfkc().collect::<String>().to_lowercase().nfkc().collect();
        if next == last {
            break;
        }
        last = next;
    }
    last
}

fn canonical_email(text: &str) -> String {
    let text = canonical(text);
    let Some((local, domain)) = text.rsplit_once('@') else { return text };
    let labels: Vec<String> = domain.split('.').map(decode_label).collect();
    format!("{local}@{}", labels.join("."))
}

/// A label of a domain with Punycode (`xn--…`) decoded. Labels that are not valid Punycode are returned unchanged.
fn decode_label(label: &str) -> String {
    let decoded = label.strip_prefix("xn--").and_then(idna::punycode::decode_to_string);
    // Punycode that decodes to ASCII only is not valid; if it were decoded, one domain would have two spellings.
    let decoded = decoded.filter(|decoded| !decoded.is_ascii() && is_domain_label(decoded));
    decoded.map_or_else(|| label.to_owned(), |decoded| canonical(&decoded))
}

/// Refuses a text whose canonical form is too long for a key of the table: some characters expand to eighteen.
fn check_canonical(canonical: &str) -> Result<(), RuleBroken> {
    if canonical.len() > 512 {
        return Err(RuleBroken("is too long once normalised".to_owned()));
    }
    Ok(())
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_character = |c: char| is_letter(c) || is_mark(c) || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    text.len() <= 254
        && (1..=64).contains(&local.len())
        && local.chars().all(local_character)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.contains('.')
        && domain.split('.').all(is_domain_label)
}

fn is_domain_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.chars().all(|c| is_letter(c) || c == '-' || is_mark(c))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_or_width_are_the_same() {
        let name = |text: &str| text.parse::<Username>().unwrap().canonical();
        assert_eq!(name("Alice"), name("aLICE"));
        assert_eq!(name("ｗｉｄｅ"), name("wide"));
        assert_ne!(name("alice"), name("alice1"));
    }

    #[test]
    fn canonicalising_twice_changes_nothing_more() {
        for c in ('\u{0}'..=char::MAX).filter(|c| c.is_alphanumeric()) {
            let once = canonical(&c.to_string());
            assert_eq!(canonical(&once), once, "U+{:04X}", c as u32);
        }
    }

    #[test]
    fn names_of_many_scripts_are_accepted_and_odd_ones_are_not() {
        for good in ["bob", "张三丰", "o.k-_9", "Ünïcode", "हिन्दी"] {
            assert!(good.parse::<Username>().is_ok(), "{good}");
        }
        let expanding = "\u{fdfa}".repeat(32);
        for bad in [
            expanding.as_str(),
            "ab",
            "",
            "with space",
            "a@b",
            "a/b",
            "nul\u{0}",
            "...",
            "bell\u{7}x",
            "ad\u{34f}a",
            "ada\u{fe0f}",
            "\u{3164}\u{3164}\u{3164}",
            &"x".repeat(33),
        ] {
            assert!(bad.parse::<Username>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_and_its_punycode_form_are_the_same() {
        let email = |text: &str| text.parse::<Email>().unwrap().canonical();
        assert_eq!(email("a@münchen.example"), "a@münchen.example");
        for same in ["a@xn--mnchen-3ya.example", "A@XN--MNCHEN-3YA.Example", "a@MÜNCHEN.example"] {
            assert_eq!(email(same), "a@münchen.example", "{same}");
        }
        assert_eq!(email("a@xn--fiqs8s.cn"), "a@中国.cn");
        // Invalid Punycode stays as it is, and canonicalising twice changes nothing more.
        for other in
            ["a@xn--abc-.example", "a@xn--a.example", "a@xn--99999999.example", "a@xn--mnchen-3ya.example"]
        {
            if let Ok(address) = other.parse::<Email>() {
                let once = address.canonical();
                assert_eq!(canonical_email(&once), once, "{other}");
            }
        }
    }

    #[test]
    fn an_address_whose_decoded_punycode_is_too_long_is_refused() {
        let long = "a@xn--976caaaaaaaaaaaaaaaaaaaa.xn--976caaaaaaaaaaaaaaaaaaaa.co";
        assert!(canonical_email(long).len() > 1024);
        assert!(long.parse::<Email>().is_err());
    }

    #[test]
    fn white_space_around_a_name_or_an_address_is_removed() {
        assert_eq!(" alice\n".parse::<Username>().unwrap().as_str(), "alice");
        assert_eq!("\u{feff}\ta@b.co\u{200b} ".parse::<Email>().unwrap().as_str(), "a@b.co");
        assert!("ali ce".parse::<Username>().is_err());
    }

    #[test]
    fn email_syntax_is_checked() {
        for good in ["a@b.co", "first.last+tag@sub.example.org", "用户@例子.公司"] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "x".repeat(65));
        for bad in
            ["", "a", "@b.co", "a@", "a@b", "a@b..co", ".a@b.co", "a b@c.de", "a@-b.co", "a@b.co\nx", &long]
        {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
    }
}
