//! The user that the URL of a WebSocket connection names.

use serde::{Deserialize, Serialize};

use crate::domain::UserId;

/// The user that the URL of a connection names, as in `/ws/{user_id}`. Only that user may authenticate on the
/// connection. The URL may contain any text in that place, because the example in the old documentation connects to
/// `/ws/user_123`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ClaimedUser {
    /// The user with this id.
    User(UserId),
    /// A text that is not a user id, so no user may authenticate.
    Nobody,
}

/// The stored form of [`ClaimedUser::Nobody`].
const NOBODY: &str = "nobody";

impl ClaimedUser {
    /// Whether `user` may authenticate on the connection.
    #[must_use]
    pub fn allows(self, user: UserId) -> bool {
        self == Self::User(user)
    }
}

impl From<&str> for ClaimedUser {
    fn from(text: &str) -> Self {
        text.parse().map_or(Self::Nobody, Self::User)
    }
}

impl From<String> for ClaimedUser {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<ClaimedUser> for String {
    fn from(claimed: ClaimedUser) -> Self {
        match claimed {
            ClaimedUser::User(id) => id.to_string(),
            ClaimedUser::Nobody => NOBODY.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_who_is_named_may_authenticate() {
        let [ada, bob] = ["user_01KAN7T5X1Q8ZJ4W6Y9B3C2D0E", "user_01KAN7T5X1Q8ZJ4W6Y9B3C2D0F"];
        let id = |text: &str| text.parse::<UserId>().unwrap();
        let stored = |text: &str| ClaimedUser::from(String::from(ClaimedUser::from(text)));
        assert!(stored(ada).allows(id(ada)) && !stored(ada).allows(id(bob)));
        for text in ["user_123", "", NOBODY, "你好", "\u{0}", &"x".repeat(5000)] {
            assert_eq!(stored(text), ClaimedUser::Nobody, "{text}");
            assert!(!stored(text).allows(id(ada)));
        }
    }
}
