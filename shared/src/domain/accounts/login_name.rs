//! The name in a login: a username or an email address.

use crate::domain::{Email, RuleBroken, Username};

/// The username or the email address that a login names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// A username, which never contains `@`.
    Username(Username),
    /// An email address.
    Email(Email),
}

impl LoginName {
    /// The form in which names and addresses are compared. A username and an address never have the same canonical
    /// form.
    #[must_use]
    pub fn canonical(&self) -> String {
        match self {
            Self::Username(name) => name.canonical(),
            Self::Email(address) => address.canonical(),
        }
    }
}

impl TryFrom<String> for LoginName {
    type Error = RuleBroken;

    fn try_from(text: String) -> Result<Self, RuleBroken> {
        if text.contains('@') {
            Email::try_from(text).map(Self::Email)
        } else {
            Username::try_from(text).map(Self::Username)
        }
    }
}
