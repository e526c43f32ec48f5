//! Users and what identifies them.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;

use super::text::{RuleBroken, check_length, check_printable, checked_text};
use super::usage::OwnBudget;
use super::{Credential, Failures, KeyId, Millis, SessionId, UserId};

/// A registered user. The password's hash is a part of it that never leaves `shared`.
#[derive(Clone)]
pub struct User {
    /// Ours, and never used again.
    pub id: UserId,
    /// As the user spelled it.
    pub username: Username,
    /// As the user spelled it.
    pub email: Email,
    /// What the user wants to be called.
    pub display_name: Option<DisplayName>,
    /// When the user registered.
    pub created_at: Millis,
    /// Tokens that carry another version do not count.
    pub token_version: u64,
    /// The sessions that live. Tokens of others do not count.
    pub sessions: BTreeSet<SessionId>,
    /// The API keys that count.
    pub keys: BTreeSet<KeyId>,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
    /// What the user may spend, where that differs from what all may.
    pub own_budget: OwnBudget,
    /// Wrong guesses at the password since the last right one.
    pub failures: Failures,
    /// Whether the user has shown to read what is sent to the address.
    pub email_verified: bool,
    /// The second factor, once it is confirmed.
    pub totp: Option<Totp>,
    /// The secret of a second factor that is not confirmed yet, in base32.
    pub totp_pending: Option<String>,
    /// Hashes of the codes that stand in for the second factor, each once.
    pub recovery_hashes: BTreeSet<String>,
}

/// A second factor that counts.
#[derive(Clone)]
pub struct Totp {
    /// The shared secret, in base32.
    pub secret: String,
    /// The time step of the code that was used last: it and those before do not count again.
    pub last_step: u64,
}

/// What is given in the place of a second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// A code of this time step, which does not count again, nor does any before.
    Step(u64),
    /// The hash of a recovery code, which does not count again.
    Recovery(String),
}

impl User {
    /// Whether the user still has this credential. A session's tokens must be of the current version, too.
    #[must_use]
    pub fn has(&self, credential: Credential, token_version: u64) -> bool {
        match credential {
            Credential::Session(id) => token_version == self.token_version && self.sessions.contains(&id),
            Credential::Key(id) => self.keys.contains(&id),
        }
    }
}

checked_text!(
    /// What the owner calls an API key: 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "Nightly job")]
    KeyName,
    |text| check_length(text, 1, 64).and_then(|()| check_printable(text))
);

/// An API key, as its owner sees it after it was made.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Names it.
    pub id: KeyId,
    /// What the owner calls it.
    pub name: KeyName,
    /// Its last characters, by which the owner knows it again.
    pub ending: String,
    /// When it was made.
    pub created_at: Millis,
    /// When it ends, if it does.
    pub expires_at: Option<Millis>,
    /// When it was last used, to a few minutes.
    pub last_used_at: Option<Millis>,
}

checked_text!(
    /// A username: 3 to 32 letters and digits of any script, `_`, `.` and `-`. White space around it is dropped.
    #[schema(min_length = 3, max_length = 32, example = "alice")]
    Username,
    trimmed,
    |text| {
        check_length(text, 3, 32)?;
        let allowed = |c: char| is_letter(c) || "_.-".contains(c) || is_mark(c);
        if !text.chars().all(allowed) || !text.chars().any(is_letter) {
            return Err(RuleBroken("may hold letters, digits, '_', '.' and '-'".to_owned()));
        }
        check_canonical(&canonical(text))
    }
);

checked_text!(
    /// An email address: its syntax is checked, at most 254 bytes. White space around it is dropped.
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
    /// What a user wants to be called: 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "Alice")]
    DisplayName,
    |text| check_length(text, 1, 64).and_then(|()| check_printable(text))
);

impl Username {
    /// The form by which names are compared: two that look alike to NFKC or differ in case are one.
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical(self.as_str())
    }
}

impl Email {
    /// The form by which addresses are compared: as for usernames, and a domain in Punycode is the one that it spells.
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical_email(self.as_str())
    }
}

/// A letter or a digit that can be seen.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !is_invisible(c)
}

/// Vowel signs and the like, without which many scripts cannot spell a name.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c) && !is_invisible(c)
}

/// Letters and marks that Unicode lets nobody see (`Default_Ignorable_Code_Point`): two names could differ in them alone.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

/// NFKC and lower case, repeated until nothing changes, since each can undo the other: idempotent.
fn canonical(text: &str) -> String {
    let mut last = text.to_owned();
    // Three rounds are the most that any code point needs; the bound is for the day when that changes.
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
    let labels: Vec<String> = domain.split('.').map(spelled).collect();
    format!("{local}@{}", labels.join("."))
}

/// A label of a domain in the letters that its Punycode form (`xn--…`) stands for; as it is, when it is none.
fn spelled(label: &str) -> String {
    let decoded = label.strip_prefix("xn--").and_then(idna::punycode::decode_to_string);
    // Only other than ASCII letters have a Punycode form, so a label has one spelling.
    let decoded = decoded.filter(|decoded| !decoded.is_ascii() && is_domain_label(decoded));
    decoded.map_or_else(|| label.to_owned(), |decoded| canonical(&decoded))
}

/// A few characters become eighteen in the canonical form, which is a key of the store and must fit there.
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
    fn names_that_look_alike_are_one() {
        let name = |text: &str| text.parse::<Username>().unwrap().canonical();
        assert_eq!(name("Alice"), name("aLICE"));
        assert_eq!(name("ｗｉｄｅ"), name("wide"));
        assert_ne!(name("alice"), name("alice1"));
    }

    #[test]
    fn the_canonical_form_of_a_canonical_form_is_itself() {
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
    fn an_address_and_its_punycode_form_are_one() {
        let email = |text: &str| text.parse::<Email>().unwrap().canonical();
        assert_eq!(email("a@münchen.example"), "a@münchen.example");
        for same in ["a@xn--mnchen-3ya.example", "A@XN--MNCHEN-3YA.Example", "a@MÜNCHEN.example"] {
            assert_eq!(email(same), "a@münchen.example", "{same}");
        }
        assert_eq!(email("a@xn--fiqs8s.cn"), "a@中国.cn");
        // What stands for nothing else stays as it is, and the canonical form of a canonical form is itself.
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
    fn an_address_whose_punycode_stands_for_too_much_is_refused() {
        let long = "a@xn--976caaaaaaaaaaaaaaaaaaaa.xn--976caaaaaaaaaaaaaaaaaaaa.co";
        assert!(canonical_email(long).len() > 1024);
        assert!(long.parse::<Email>().is_err());
    }

    #[test]
    fn white_space_around_a_name_or_an_address_is_dropped() {
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
