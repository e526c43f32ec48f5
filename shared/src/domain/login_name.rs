//! What somebody logs in with: a username or an email address.

use super::{Email, RuleBroken, Username};

/// A username or an email address, as a login takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// A username, which holds no `@`.
    Username(Username),
    /// An email address.
    Email(Email),
}

impl LoginName {
    /// The form by which names and addresses are compared. No username's is an address's.
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
