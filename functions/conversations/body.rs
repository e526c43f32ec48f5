//! The bodies of requests that create or replace a conversation.

use std::collections::HashSet;

use serde::Deserialize;
use shared::Result;
use shared::clock;
use shared::domain::{
    Content, Conversation, ConversationId, Filing, Message, MessageId, Millis, ModelName, Role, Summary,
    SystemPrompt, Title, TokenCount, Visible,
};
use shared::error::Error;
use shared::store::Replacement;
use utoipa::ToSchema;

/// A new conversation. Extra fields are ignored, `userId` included.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewConversation, example = json!({"id": "travel-plans", "title": "Travel plans", "messages": [{"id": "m1", "role": "user", "content": "Where shall we go?"}]}))]
#[serde(rename_all = "camelCase")]
pub(super) struct NewConversation {
    pub(super) id: Option<ConversationId>,
    #[schema(value_type = Title)]
    title: Visible<Title>,
    #[serde(default)]
    #[schema(max_items = 10_000)]
    messages: Vec<MessageBody>,
    created_at: Option<Millis>,
    updated_at: Option<Millis>,
    model: Option<ModelName>,
    system_prompt: Option<SystemPrompt>,
}

/// A conversation that replaces the stored one. `messages` is required, because a missing list would delete all
/// messages. Extra fields are ignored, `userId` included.
#[derive(Deserialize, ToSchema)]
#[schema(as = WholeConversation, example = json!({"title": "Travel plans", "messages": [{"id": "m1", "role": "user", "content": "Where shall we go?"}]}))]
#[serde(rename_all = "camelCase")]
pub(super) struct WholeConversation {
    pub(super) id: Option<ConversationId>,
    #[schema(value_type = Title)]
    title: Visible<Title>,
    messages: Vec<MessageBody>,
    /// Default: the stored value.
    created_at: Option<Millis>,
    updated_at: Option<Millis>,
    /// Default: the stored value.
    model: Option<ModelName>,
    /// Without it, the conversation has no system prompt.
    system_prompt: Option<SystemPrompt>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ConversationMessage)]
struct MessageBody {
    id: Option<MessageId>,
    content: Content,
    role: Role,
    timestamp: Option<Millis>,
    model: Option<ModelName>,
    tokens: Option<TokenCount>,
}

impl NewConversation {
    /// The conversation with this id. Missing values get defaults.
    pub(super) fn conversation(self, id: ConversationId, now: Millis) -> Result<Conversation> {
        let summary = Summary {
            id,
            title: self.title.into_inner(),
            created_at: self.created_at.unwrap_or(now),
            updated_at: self.updated_at.unwrap_or(now),
            model: self.model.unwrap_or_else(ModelName::default_for_old_clients),
            system_prompt: self.system_prompt,
            filing: Filing::default(),
        };
        Ok(Conversation { summary, messages: parse_messages(self.messages, now)? })
    }
}

impl WholeConversation {
    /// The replacement of the conversation with this id.
    pub(super) fn replacement(self, id: ConversationId, now: Millis) -> Result<Replacement> {
        let summary = Summary {
            id,
            title: self.title.into_inner(),
            created_at: self.created_at.unwrap_or(now),
            updated_at: self.updated_at.unwrap_or(now),
            model: self.model.clone().unwrap_or_else(ModelName::default_for_old_clients),
            system_prompt: self.system_prompt,
            filing: Filing::default(),
        };
        let untimed = self.messages.iter().filter(|message| message.timestamp.is_none());
        Ok(Replacement {
            keeps_created_at: self.created_at.is_none(),
            keeps_model: self.model.is_none(),
            keeps_timestamps: untimed.filter_map(|message| message.id.clone()).collect(),
            conversation: Conversation { summary, messages: parse_messages(self.messages, now)? },
        })
    }
}

/// The messages. Missing values get defaults; a repeated id is refused.
fn parse_messages(bodies: Vec<MessageBody>, now: Millis) -> Result<Vec<Message>> {
    let messages = bodies.into_iter().zip(0..).map(|(body, number)| body.message(number, now));
    let messages = messages.collect::<Result<Vec<Message>>>()?;
    let mut ids = HashSet::new();
    if let Some(position) = messages.iter().position(|message| !ids.insert(&message.id)) {
        return Err(Error::invalid_field(format!("messages[{position}].id"), "must not occur twice"));
    }
    Ok(messages)
}

impl MessageBody {
    fn message(self, number: u64, now: Millis) -> Result<Message> {
        let content = self.content.written_by(self.role);
        let content = content
            .map_err(|rule| Error::invalid_field(format!("messages[{number}].content"), rule.to_string()))?;
        Ok(Message {
            id: self.id.unwrap_or_else(|| MessageId::new(clock::new_ulid(), number)),
            role: self.role,
            content,
            timestamp: self.timestamp.unwrap_or(now),
            model: self.model,
            tokens: self.tokens,
            status: None,
        })
    }
}
