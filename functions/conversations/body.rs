//! Conversations and messages as they are on the wire, both ways.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use shared::Result;
use shared::clock;
use shared::domain::{
    Content, Conversation, ConversationId, Message, MessageId, Millis, ModelName, ReplyStatus, Role, Summary,
    SystemPrompt, Title, TokenCount, UserId,
};
use shared::error::Error;

/// As many as are surely written before the HTTP API gives up waiting.
const MOST_MESSAGES: usize = 5000;

/// A conversation as a client sends it. What else it sends, `userId` too, is ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConversationBody {
    pub(super) id: Option<ConversationId>,
    title: Title,
    #[serde(default)]
    messages: Vec<MessageBody>,
    created_at: Option<Millis>,
    updated_at: Option<Millis>,
    model: Option<ModelName>,
    system_prompt: Option<SystemPrompt>,
}

#[derive(Deserialize)]
struct MessageBody {
    id: Option<MessageId>,
    content: Content,
    role: Role,
    timestamp: Option<Millis>,
    model: Option<ModelName>,
    tokens: Option<TokenCount>,
}

impl ConversationBody {
    /// The conversation under this id. What the client leaves out is made up; the same message id twice is refused.
    pub(super) fn conversation(self, id: ConversationId, now: Millis) -> Result<Conversation> {
        if self.messages.len() > MOST_MESSAGES {
            return Err(Error::invalid_field("messages", format!("must be at most {MOST_MESSAGES}")));
        }
        let messages: Vec<Message> =
            self.messages.into_iter().zip(0..).map(|(body, n)| body.message(n, now)).collect();
        let mut ids = HashSet::new();
        if let Some(position) = messages.iter().position(|message| !ids.insert(&message.id)) {
            return Err(Error::invalid_field(format!("messages[{position}].id"), "must not occur twice"));
        }
        let summary = Summary {
            id,
            title: self.title,
            created_at: self.created_at.unwrap_or(now),
            updated_at: self.updated_at.unwrap_or(now),
            model: self.model.unwrap_or_else(ModelName::default_of_contract),
            system_prompt: self.system_prompt,
        };
        Ok(Conversation { summary, messages })
    }
}

impl MessageBody {
    fn message(self, number: u64, now: Millis) -> Message {
        Message {
            id: self.id.unwrap_or_else(|| MessageId::new(clock::new_ulid(), number)),
            role: self.role,
            content: self.content,
            timestamp: self.timestamp.unwrap_or(now),
            model: self.model,
            tokens: self.tokens,
            status: None,
        }
    }
}

/// A conversation as clients get it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConversationAnswer {
    id: ConversationId,
    title: Title,
    messages: Vec<MessageAnswer>,
    created_at: Millis,
    updated_at: Millis,
    model: ModelName,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_prompt: Option<SystemPrompt>,
    user_id: UserId,
}

#[derive(Serialize)]
struct MessageAnswer {
    id: MessageId,
    content: Content,
    role: Role,
    timestamp: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<TokenCount>,
    /// Only of replies that we made or are making.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ReplyStatus>,
}

impl ConversationAnswer {
    pub(super) fn new(user_id: UserId, conversation: Conversation) -> Self {
        let Conversation { summary, messages } = conversation;
        Self {
            id: summary.id,
            title: summary.title,
            messages: messages.into_iter().map(MessageAnswer::from).collect(),
            created_at: summary.created_at,
            updated_at: summary.updated_at,
            model: summary.model,
            system_prompt: summary.system_prompt,
            user_id,
        }
    }
}

impl From<Message> for MessageAnswer {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            content: message.content,
            role: message.role,
            timestamp: message.timestamp,
            model: message.model,
            tokens: message.tokens,
            status: message.status,
        }
    }
}
