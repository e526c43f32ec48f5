//! Messages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::text::escaped_length;
use super::{Content, MessageId, Millis, ModelName, ReplyStatus, TokenCount};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The AI model.
    Assistant,
    /// Instructions to the AI model.
    System,
}

impl Role {
    /// All of them.
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

/// More than the names of a message's fields, its times and its numbers take in an answer.
const BYTES_OF_FIELDS: usize = 300;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Unique within the conversation.
    pub id: MessageId,
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content,
    /// When, as the client says.
    pub timestamp: Millis,
    /// The AI model, for a reply.
    pub model: Option<ModelName>,
    /// How many tokens it took.
    pub tokens: Option<TokenCount>,
    /// For a reply that we made or are making: how far it is.
    pub status: Option<ReplyStatus>,
}

impl Message {
    /// An upper bound of the bytes that the message takes in an answer: as JSON that API Gateway's format carries within a JSON
    /// string, where quotes and backslashes are escaped a second time.
    #[must_use]
    pub fn answer_length(&self) -> usize {
        let names = self.id.as_str().len() + self.model.as_ref().map_or(0, |model| model.as_str().len());
        escaped_length(self.content.as_str()) + 2 * names + BYTES_OF_FIELDS
    }

    /// Whether it says the same as `other`, as far as a client can change that.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.role == other.role
            && self.content == other.content
            && self.timestamp == other.timestamp
            && self.model == other.model
            && self.tokens == other.tokens
    }
}

/// The message that a new message follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Follows {
    /// The last message of the current branch.
    #[default]
    Leaf,
    /// This message, or none for a new beginning. A second message that follows the same one begins another branch, which
    /// becomes the current one.
    Message(Option<MessageId>),
}
