//! Messages of a conversation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::text::{MOST_WRITTEN_CHARACTERS, RuleBroken, check_length, escaped_length};
use crate::domain::{Content, MessageId, Millis, ModelName, ReplyStatus, TokenCount};

/// The author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The user.
    User,
    /// The AI model.
    Assistant,
    /// Instructions to the AI model.
    System,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::User, Self::Assistant, Self::System];

    /// The name on the wire and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
        }
    }
}

/// An upper bound of the bytes that the names of a message's fields, its times and its numbers take in an answer.
const BYTES_OF_FIELDS: usize = 300;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The id, unique in the conversation.
    pub id: MessageId,
    /// The author.
    pub role: Role,
    /// The text.
    pub content: Content,
    /// When it was written, as the client says.
    pub timestamp: Millis,
    /// The AI model that wrote it, if it is a reply.
    pub model: Option<ModelName>,
    /// How many tokens it has.
    pub tokens: Option<TokenCount>,
    /// The status of a reply that this service makes or made; `None` for other messages.
    pub status: Option<ReplyStatus>,
}

impl Content {
    /// This text as the content of a message by `role`. Whoever stores a message for a client parses its content with
    /// this function. A reply of a model may be as long as a message may be; everything else is written by people and
    /// has at most 65,536 characters.
    ///
    /// # Errors
    /// The rule, if the text is too long for the role.
    pub fn written_by(self, role: Role) -> Result<Self, RuleBroken> {
        if role != Role::Assistant {
            check_length(self.as_str(), 0, MOST_WRITTEN_CHARACTERS)?;
        }
        Ok(self)
    }
}

impl Message {
    /// An upper bound of the bytes that the message takes in an HTTP answer. A Lambda function returns its body as a
    /// JSON string, so the quotes and backslashes of the body's JSON are escaped a second time.
    #[must_use]
    pub fn answer_length(&self) -> usize {
        let names = self.id.as_str().len() + self.model.as_ref().map_or(0, |model| model.as_str().len());
        escaped_length(self.content.as_str()) + 2 * names + BYTES_OF_FIELDS
    }

    /// Whether all fields that a client can change are equal.
    #[must_use]
    pub fn has_same_content(&self, other: &Self) -> bool {
        self.role == other.role
            && self.content == other.content
            && self.timestamp == other.timestamp
            && self.model == other.model
            && self.tokens == other.tokens
    }
}

/// Which message a new message follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Follows {
    /// The last message of the current branch.
    #[default]
    Leaf,
    /// This message; `None` for a message that begins the conversation anew. A second message that follows the same one
    /// begins another branch, which becomes the current one.
    Message(Option<MessageId>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_at_most_65_536_characters_and_models_may_write_more() {
        let text = |characters: usize| "x".repeat(characters).parse::<Content>().unwrap();
        for role in Role::ALL {
            assert!(text(65_536).written_by(role).is_ok());
            assert_eq!(text(65_537).written_by(role).is_ok(), role == Role::Assistant);
        }
    }
}
