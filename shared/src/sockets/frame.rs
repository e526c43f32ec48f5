//! The frames of the WebSocket protocol, both ways, as they are on the wire. Unknown fields are ignored.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{
    ConversationId, Credential, MessageId, ModelName, Prompt, ReplyPlace, ReplyStatus, Title, UserId,
};
use crate::error::{Code, Error};
use crate::json::given;

/// `{"type": "auth", "token"}`.
#[derive(Deserialize, ToSchema)]
pub struct Auth {
    /// An access token.
    pub token: String,
}

/// `{"type": "chat", "content", …}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chat {
    /// What the user says.
    pub content: Prompt,
    /// The id that the client made for the user's message.
    pub id: Option<MessageId>,
    /// Where the turn is stored; nowhere without it.
    pub conversation_id: Option<ConversationId>,
    /// The message that the user's follows: a second one behind the same message begins another branch, and null another
    /// beginning. Left out, it is the last message of the current branch.
    #[serde(default, deserialize_with = "given")]
    pub parent_id: Option<Option<MessageId>>,
    /// The model to ask.
    pub model: Option<ModelName>,
    /// From 0 to 2.
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// The most tokens of the reply.
    #[serde(rename = "max_tokens")]
    #[schema(minimum = 1, maximum = 131_072)]
    pub max_tokens: Option<u32>,
}

/// `{"type": "stop", …}` and `{"type": "resume", …}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AboutReply {
    /// The conversation; none for a reply that belongs to none.
    pub conversation_id: Option<ConversationId>,
    /// The id of the assistant's message.
    pub message_id: MessageId,
}

/// `{"type": "regenerate", …}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Regenerate {
    /// The conversation.
    #[schema(required = true, nullable = false)]
    pub conversation_id: Option<ConversationId>,
    /// The id of the assistant's message.
    pub message_id: MessageId,
    /// The model to ask; without one, the model that made the reply.
    pub model: Option<ModelName>,
    /// From 0 to 2.
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// The most tokens of the new reply.
    #[serde(rename = "max_tokens")]
    #[schema(minimum = 1, maximum = 131_072)]
    pub max_tokens: Option<u32>,
}

/// `{"type": "typing", …}`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Typing {
    /// Where the user is typing.
    pub conversation_id: Option<ConversationId>,
}

/// A frame that the server sends.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The connection belongs to a user from now on.
    AuthSuccess {
        /// For people.
        message: &'static str,
        /// Whose it is.
        data: Authenticated,
    },
    /// The token does not count; the connection is closed.
    AuthFailed {
        /// For people.
        message: String,
    },
    /// A frame was refused.
    Error {
        /// For programs.
        #[schema(value_type = Code)]
        code: &'static str,
        /// For people.
        message: String,
    },
    /// The answer to `ping`.
    Pong,
    /// A turn is stored, and its reply will come.
    ChatAccepted {
        /// The id that the client made for the user's message.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<MessageId>,
        /// Which reply.
        #[serde(flatten)]
        reply: Reply,
    },
    /// More of a reply.
    ChatChunk {
        /// Which reply.
        #[serde(flatten)]
        reply: Reply,
        /// 0 for the first chunk of a reply, and 1 more for each.
        seq: u64,
        /// The next text.
        content: String,
    },
    /// More of what a model thinks before it answers, no part of the reply.
    ChatReasoning {
        /// Which reply.
        #[serde(flatten)]
        reply: Reply,
        /// 0 for the first of a reply, and 1 more for each.
        seq: u64,
        /// The next text.
        content: String,
    },
    /// All the text of a reply that came so far, for windows that were away or missed some.
    ChatSnapshot {
        /// Which reply.
        #[serde(flatten)]
        reply: Reply,
        /// That of the last chunk in it; absent before the first.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        /// The text, or a part of it.
        content: String,
        /// Which part.
        #[serde(flatten)]
        part: Part,
    },
    /// A reply is whole, or was stopped.
    ChatComplete {
        /// Which reply.
        #[serde(flatten)]
        reply: Reply,
        /// That of the last chunk; absent when there was none, or it is long ago.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        /// All of its text, as stored, or the last part.
        content: String,
        /// Which part.
        #[serde(flatten)]
        part: Part,
        /// How many tokens it took.
        tokens: u64,
        /// The model that made it.
        model: ModelName,
        /// How many of the oldest messages the model was not sent, for lack of room.
        #[serde(rename = "leftOut", skip_serializing_if = "Option::is_none")]
        left_out: Option<usize>,
        /// `complete` or `stopped`.
        status: ReplyStatus,
    },
    /// A turn was refused, or its reply broke off.
    ChatError {
        /// Which reply, once there is one.
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        reply: Option<Reply>,
        /// The id that the client made for the user's message.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<MessageId>,
        /// For programs.
        #[schema(value_type = Code)]
        code: &'static str,
        /// For people.
        detail: String,
        /// Whether it may succeed later.
        retryable: bool,
        /// How: `same`, by this very frame again, since nothing was stored; or `new`, by one with another `id`, since the
        /// reply of this one has ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry: Option<&'static str>,
        /// In how many seconds, when that is known.
        #[serde(rename = "retry_after", skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        /// That of the last chunk of the reply.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        /// All of the reply's text, as stored, or the last part.
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        /// Which part.
        #[serde(flatten)]
        part: Part,
        /// `failed` or `interrupted`.
        status: ReplyStatus,
    },
    /// A new conversation has got a title.
    ChatTitle {
        /// Which conversation.
        #[serde(rename = "conversationId")]
        conversation_id: ConversationId,
        /// What it is called from now on.
        title: Title,
    },
    /// The user is typing in another window.
    UserTyping {
        /// Who.
        #[serde(rename = "user_id")]
        user_id: UserId,
        /// Where.
        #[serde(rename = "conversationId", skip_serializing_if = "Option::is_none")]
        conversation_id: Option<ConversationId>,
    },
    /// Another window of the user was closed.
    UserDisconnected {
        /// Who.
        #[serde(rename = "user_id")]
        user_id: UserId,
    },
}

/// Whose a connection is, as `auth_success` tells.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Authenticated {
    /// The session of the token.
    pub session_id: Credential,
    /// The user.
    pub user_id: UserId,
}

/// Which reply a frame is about.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// The id of the assistant's message.
    pub message_id: MessageId,
    /// The conversation, if the turn is stored in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
}

impl Reply {
    /// The reply that stands here.
    #[must_use]
    pub fn at(place: &ReplyPlace) -> Self {
        Self { message_id: place.message.clone(), conversation_id: place.conversation().cloned() }
    }
}

/// Which part of a text a frame carries, when the text is too long for one: all parts but the last come as `chat_snapshot`.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct Part {
    /// 0 for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<usize>,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<usize>,
}

impl Part {
    /// One of several.
    #[must_use]
    pub fn of(part: usize, parts: usize) -> Self {
        Self { part: Some(part), parts: Some(parts) }
    }
}

impl ServerFrame {
    /// Tells that a connection is authenticated.
    #[must_use]
    pub fn authenticated(user_id: UserId, session_id: Credential) -> Self {
        Self::AuthSuccess { message: "Authenticated", data: Authenticated { session_id, user_id } }
    }

    /// Tells what was wrong with a frame.
    #[must_use]
    pub fn refusal(error: &Error) -> Self {
        Self::Error { code: error.code().as_str(), message: error.detail().to_owned() }
    }

    /// Tells why a turn was refused, of which nothing is stored.
    #[must_use]
    pub fn turn_refused(id: Option<MessageId>, error: &Error) -> Self {
        let retryable = error.code().is_retryable();
        Self::ChatError {
            reply: None,
            id,
            code: error.code().as_str(),
            detail: error.detail().to_owned(),
            retryable,
            retry: retryable.then_some("same"),
            retry_after: error.seconds_to_wait(),
            seq: None,
            content: None,
            part: Part::default(),
            status: ReplyStatus::Failed,
        }
    }

    /// The last frame of a reply that failed or broke off, and why.
    #[must_use]
    pub fn broke_off(
        reply: Reply,
        seq: Option<u64>,
        content: String,
        part: Part,
        status: ReplyStatus,
        error: &Error,
    ) -> Self {
        let retryable = error.code().is_retryable();
        Self::ChatError {
            reply: Some(reply),
            id: None,
            code: error.code().as_str(),
            detail: error.detail().to_owned(),
            retryable,
            retry: retryable.then_some("new"),
            retry_after: error.seconds_to_wait(),
            seq,
            content: Some(content),
            part,
            status,
        }
    }

    /// The frame as text.
    ///
    /// # Errors
    /// None that can be thought of: all parts have text for keys.
    pub fn text(&self) -> crate::Result<String> {
        serde_json::to_string(self).map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use ulid::Ulid;

    fn wire(frame: &ServerFrame) -> Value {
        serde_json::from_str(&frame.text().unwrap()).unwrap()
    }

    #[test]
    fn frames_are_named_as_the_contract_names_them() {
        let reply = Reply { message_id: "m".parse().unwrap(), conversation_id: Some("c".parse().unwrap()) };
        let chunk = ServerFrame::ChatChunk { reply, seq: 3, content: "hi".to_owned() };
        assert_eq!(
            wire(&chunk),
            json!({"type": "chat_chunk", "messageId": "m", "conversationId": "c", "seq": 3, "content": "hi"})
        );
        assert_eq!(wire(&ServerFrame::Pong), json!({"type": "pong"}));
        let user_id = UserId::new(Ulid::from_parts(1, 1));
        let typing = ServerFrame::UserTyping { user_id, conversation_id: None };
        assert_eq!(wire(&typing), json!({"type": "user_typing", "user_id": user_id}));
        let refused = ServerFrame::turn_refused(None, &Error::invalid("x"));
        assert_eq!(
            wire(&refused),
            json!({"type": "chat_error", "code": "invalid", "detail": "x", "retryable": false, "status": "failed"})
        );
    }

    #[test]
    fn an_old_clients_frame_with_fields_of_its_own_is_understood() {
        let frame = json!({"type": "chat", "content": "hello", "data": {"x": [1]}, "max_tokens": 5});
        let chat: Chat = serde_json::from_value(frame).unwrap();
        assert_eq!((chat.content.as_str(), chat.max_tokens), ("hello", Some(5)));
        assert!(chat.conversation_id.is_none());
    }
}
