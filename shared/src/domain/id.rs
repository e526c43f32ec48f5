//! Identifiers. The ones that the service makes have a prefix and sort by creation time; ids that a client chose are
//! accepted as they are, within limits.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::ToSchema;

use super::Millis;
use super::text::{RuleBroken, check_length, check_printable, checked_text};

/// Declares the type of an id that only the service makes: a prefix and a ULID.
macro_rules! our_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        $(#[$doc])*
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String)]
        pub struct $name(Ulid);

        impl $name {
            /// Creates the id from `ulid`.
            #[must_use]
            pub fn new(ulid: Ulid) -> Self {
                Self(ulid)
            }

            /// When the id was created, to the millisecond.
            #[must_use]
            pub fn created_at(self) -> Millis {
                Millis::saturating(self.0.timestamp_ms())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = RuleBroken;

            fn from_str(text: &str) -> Result<Self, RuleBroken> {
                text.strip_prefix($prefix)
                    .and_then(|ulid| Ulid::from_string(ulid).ok())
                    // ULIDs may also be written in lower case; an id must have only one spelling.
                    .filter(|ulid| text.ends_with(&ulid.to_string()))
                    .map(Self)
                    .ok_or_else(|| RuleBroken(concat!("must be an id that begins with ", $prefix).to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = RuleBroken;

            fn try_from(text: String) -> Result<Self, RuleBroken> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

our_id!(
    /// The id of a user: `user_01J…`.
    #[schema(pattern = "^user_[0-7][0-9A-HJKMNP-TV-Z]{25}$", example = "user_01KAN7T5X1Q8ZJ4W6Y9B3C2D0E")]
    UserId,
    "user_"
);

our_id!(
    /// The id of a session, which begins with a login: `sess_01J…`.
    #[schema(pattern = "^sess_[0-7][0-9A-HJKMNP-TV-Z]{25}$", example = "sess_01KAN7T5X2M4R8T6V0W1S3P5N7")]
    SessionId,
    "sess_"
);

our_id!(
    /// The id of an API key, which is not secret: `key_01J…`.
    #[schema(pattern = "^key_[0-7][0-9A-HJKMNP-TV-Z]{25}$", example = "key_01KAN7T5X3B6C8D0E2F4G6H8J0")]
    KeyId,
    "key_"
);

/// The credential of a caller: a session (a person) or an API key (a program).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Credential {
    /// A session.
    Session(SessionId),
    /// An API key.
    Key(KeyId),
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => id.fmt(f),
            Self::Key(id) => id.fmt(f),
        }
    }
}

fn check_client_id(text: &str) -> Result<(), RuleBroken> {
    check_length(text, 1, 128)?;
    // HTTP clients resolve these two in the path of a URL, so they could not be addressed.
    if text == "." || text == ".." {
        return Err(RuleBroken("must not be \".\" or \"..\"".to_owned()));
    }
    check_printable(text)
}

checked_text!(
    /// The id of a conversation, unique among the conversations of its owner: `conv_01J…`, or 1 to 128 characters that
    /// a client chose.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "travel-plans")]
    ConversationId,
    check_client_id
);

checked_text!(
    /// The id of a message, unique in its conversation: `msg_01J…_NUMBER`, or 1 to 128 characters that a client chose.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "m1")]
    MessageId,
    check_client_id
);

checked_text!(
    /// The id that API Gateway gave a WebSocket connection.
    ConnectionId,
    check_client_id
);

impl ConversationId {
    /// Creates the id from `ulid`.
    #[must_use]
    pub fn new(ulid: Ulid) -> Self {
        Self(format!("conv_{ulid}"))
    }
}

impl MessageId {
    /// Creates the id of message number `number` of a conversation from `ulid`.
    #[must_use]
    pub fn new(ulid: Ulid, number: u64) -> Self {
        Self(format!("msg_{ulid}_{number}"))
    }

    /// The message number that an id made by the service contains. It is only a hint: the message may have another
    /// number after its conversation was replaced, and a client may have invented the id.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        let (ulid, number) = self.0.strip_prefix("msg_")?.split_once('_')?;
        Ulid::from_string(ulid).ok()?;
        number.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_only_one_spelling() {
        let id = UserId::new(Ulid::from_parts(1_795_337_999_999, u128::MAX));
        assert_eq!(id.to_string().parse::<UserId>().unwrap(), id);
        assert!(id.to_string().to_lowercase().parse::<UserId>().is_err());
        assert!("user_".parse::<UserId>().is_err());
    }

    #[test]
    fn a_message_id_made_by_the_service_contains_its_number() {
        assert_eq!(MessageId::new(Ulid::from_parts(1, 2), 41).number(), Some(41));
        assert_eq!("msg1".parse::<MessageId>().unwrap().number(), None);
        assert_eq!("msg_x_1".parse::<MessageId>().unwrap().number(), None);
    }
}
