//! The frames that clients send. Extra fields are ignored.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::{ConversationId, MessageId, ModelName, Prompt};
use crate::json::given;

/// `{"type": "auth", "token"}`: authenticates the connection.
#[derive(Deserialize, ToSchema)]
pub struct Auth {
    /// An access token.
    pub token: String,
}

/// `{"type": "chat", "content", …}`: asks a model.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chat {
    /// The user's message.
    pub content: Prompt,
    /// An id that the client chooses for the user's message. A frame with the same id is the same turn.
    pub id: Option<MessageId>,
    /// The conversation in which the turn is stored. Without it, the turn is not stored in any conversation.
    pub conversation_id: Option<ConversationId>,
    /// The message that the user's message follows. A second message after the same parent starts another branch, and
    /// null starts another first message. Default: the last message of the current branch.
    #[serde(default, deserialize_with = "given")]
    pub parent_id: Option<Option<MessageId>>,
    /// The model to ask. Default: the conversation's model.
    pub model: Option<ModelName>,
    /// The temperature of the reply, from 0 to 2.
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// The most tokens of the reply.
    #[serde(rename = "max_tokens")]
    #[schema(minimum = 1, maximum = 131_072)]
    pub max_tokens: Option<u32>,
}

/// `{"type": "stop", …}` and `{"type": "resume", …}`: names a reply.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AboutReply {
    /// The conversation of the reply. Leave it out for a reply outside of any conversation.
    pub conversation_id: Option<ConversationId>,
    /// The id of the assistant's message.
    pub message_id: MessageId,
}

/// `{"type": "regenerate", …}`: asks for another reply to the same message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Regenerate {
    /// The conversation of the reply.
    #[schema(required = true, nullable = false)]
    pub conversation_id: Option<ConversationId>,
    /// The id of the assistant's message.
    pub message_id: MessageId,
    /// The model to ask. Default: the model that made the existing reply.
    pub model: Option<ModelName>,
    /// The temperature of the new reply, from 0 to 2.
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// The most tokens of the new reply.
    #[serde(rename = "max_tokens")]
    #[schema(minimum = 1, maximum = 131_072)]
    pub max_tokens: Option<u32>,
}

/// `{"type": "typing", …}`: tells the user's other connections that the user is typing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Typing {
    /// The conversation in which the user is typing.
    pub conversation_id: Option<ConversationId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn extra_fields_of_older_clients_are_ignored() {
        let frame = json!({"type": "chat", "content": "hello", "data": {"x": [1]}, "max_tokens": 5});
        let chat: Chat = serde_json::from_value(frame).unwrap();
        assert_eq!((chat.content.as_str(), chat.max_tokens), ("hello", Some(5)));
        assert!(chat.conversation_id.is_none());
    }
}
