//! The frames that the server sends.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    ConversationId, Credential, MessageId, ModelName, ReplyPlace, ReplyStatus, Title, UserId,
};
use crate::error::{Code, Error};

/// A frame that the server sends.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The connection is authenticated.
    AuthSuccess {
        /// A sentence for people.
        message: &'static str,
        /// The user and the session of the connection.
        data: Authenticated,
    },
    /// The token is not valid. The server closes the connection.
    AuthFailed {
        /// The reason, as a sentence for people.
        message: String,
    },
    /// The server refused a frame.
    Error {
        /// The reason, as a code for programs.
        #[schema(value_type = Code)]
        code: &'static str,
        /// The reason, as a sentence for people.
        message: String,
    },
    /// The answer to `ping`.
    Pong,
    /// The turn is stored, and its reply will follow.
    ChatAccepted {
        /// The id that the client chose for the user's message.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<MessageId>,
        /// The reply.
        #[serde(flatten)]
        reply: Reply,
    },
    /// The next part of a reply's text.
    ChatChunk {
        /// The reply.
        #[serde(flatten)]
        reply: Reply,
        /// The number of the chunk: 0 for the first chunk of a reply, then 1, 2, and so on.
        seq: u64,
        /// Text to append.
        content: String,
    },
    /// The next part of the model's reasoning. Reasoning is not part of the reply and is not stored.
    ChatReasoning {
        /// The reply.
        #[serde(flatten)]
        reply: Reply,
        /// The number of the frame: 0 for the first `chat_reasoning` of a reply, then 1, 2, and so on.
        seq: u64,
        /// Text to append.
        content: String,
    },
    /// The whole text of a reply so far, for a connection that resumes or has missed chunks. It replaces what the
    /// client has.
    ChatSnapshot {
        /// The reply.
        #[serde(flatten)]
        reply: Reply,
        /// The number of the last chunk that the text contains. Absent before the first chunk.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        /// The text, or one part of it.
        content: String,
        /// Which part of the text it is.
        #[serde(flatten)]
        part: FramePart,
    },
    /// The reply is complete, or was stopped.
    ChatComplete {
        /// The reply.
        #[serde(flatten)]
        reply: Reply,
        /// The number of the last chunk. Absent when there was no chunk, or when the reply ended more than a day ago.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        /// The whole text of the reply as stored, or the last part of it.
        content: String,
        /// Which part of the text it is.
        #[serde(flatten)]
        part: FramePart,
        /// The number of tokens of the reply.
        tokens: u64,
        /// The model that made the reply.
        model: ModelName,
        /// How many of the conversation's oldest messages did not fit into the model's context window. Absent when all
        /// fitted.
        #[serde(rename = "leftOut", skip_serializing_if = "Option::is_none")]
        left_out: Option<usize>,
        /// `complete` or `stopped`.
        status: ReplyStatus,
    },
    /// The server refused a turn, or its reply failed or was interrupted.
    ChatError {
        /// The reply. Absent when the turn was refused.
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        reply: Option<Reply>,
        /// The id that the client chose for the user's message.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<MessageId>,
        /// The reason, as a code for programs.
        #[schema(value_type = Code)]
        code: &'static str,
        /// The reason, as a sentence for people.
        detail: String,
        /// Whether a retry may succeed.
        retryable: bool,
        /// How to retry. `same`: send the same frame again, since nothing was stored. `new`: send the frame with
        /// another `id`, since the reply to this one has ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry: Option<&'static str>,
        /// How many seconds to wait before a retry, when that is known.
        #[serde(rename = "retry_after", skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        /// The number of the reply's last chunk.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        /// The whole text of the reply as stored, or the last part of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        /// Which part of the text it is.
        #[serde(flatten)]
        part: FramePart,
        /// `failed` or `interrupted`.
        status: ReplyStatus,
    },
    /// A new conversation has a title.
    ChatTitle {
        /// The conversation.
        #[serde(rename = "conversationId")]
        conversation_id: ConversationId,
        /// The title.
        title: Title,
    },
    /// The user is typing on another connection.
    UserTyping {
        /// The user.
        #[serde(rename = "user_id")]
        user_id: UserId,
        /// The conversation in which the user is typing.
        #[serde(rename = "conversationId", skip_serializing_if = "Option::is_none")]
        conversation_id: Option<ConversationId>,
    },
    /// Another connection of the user was closed.
    UserDisconnected {
        /// The user.
        #[serde(rename = "user_id")]
        user_id: UserId,
    },
}

/// The user and the session of a connection.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Authenticated {
    /// The session of the token.
    pub session_id: Credential,
    /// The user.
    pub user_id: UserId,
}

/// The reply that a frame is about.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// The id of the assistant's message.
    pub message_id: MessageId,
    /// The conversation. Absent for a reply outside of any conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
}

impl Reply {
    /// The reply at `place`.
    #[must_use]
    pub fn at(place: &ReplyPlace) -> Self {
        Self { message_id: place.message.clone(), conversation_id: place.conversation().cloned() }
    }
}

/// Which part of a text a frame carries when the text is too long for one frame. All parts but the last are
/// `chat_snapshot`.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct FramePart {
    /// The number of the part: 0 for the first. Absent when the text fits one frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<usize>,
    /// The number of parts. Absent when the text fits one frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<usize>,
}

impl FramePart {
    /// Part `part` of `parts`, counted from 0.
    #[must_use]
    pub fn of(part: usize, parts: usize) -> Self {
        Self { part: Some(part), parts: Some(parts) }
    }
}

impl ServerFrame {
    /// An `auth_success`.
    #[must_use]
    pub fn authenticated(user_id: UserId, session_id: Credential) -> Self {
        Self::AuthSuccess { message: "Authenticated", data: Authenticated { session_id, user_id } }
    }

    /// An `error` that says why a frame was refused.
    #[must_use]
    pub fn refusal(error: &Error) -> Self {
        Self::Error { code: error.code().as_str(), message: error.detail().to_owned() }
    }

    /// A `chat_error` that says why a turn was refused. Nothing of the turn is stored.
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
            part: FramePart::default(),
            status: ReplyStatus::Failed,
        }
    }

    /// A `chat_error` that says why a reply failed or was interrupted. It is the last frame of the reply.
    #[must_use]
    pub fn broke_off(
        reply: Reply,
        seq: Option<u64>,
        content: String,
        part: FramePart,
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

    /// The frame as JSON.
    ///
    /// # Errors
    /// Never in practice: every map of a frame has text keys.
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
    fn frames_have_the_documented_field_names() {
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
}
