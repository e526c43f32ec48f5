//! Conversations and messages as clients send them.

use std::collections::HashSet;

use serde::Deserialize;
use shared::Result;
use shared::clock;
use shared::domain::{
    Content, Conversation, ConversationId, Filing, Message, MessageId, Millis, ModelName, Role, Summary,
    SystemPrompt, Title, TokenCount,
};
use shared::error::Error;
use utoipa::ToSchema;

/// A conversation as a client sends it. What else it sends, `userId` too, is ignored.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewConversation, example = json!({"id": "travel-plans", "title": "Travel plans", "messages": [{"id": "m1", "role": "user", "content": "Where shall we go?"}]}))]
#[serde(rename_all = "camelCase")]
pub(super) struct ConversationBody {
    pub(super) id: Option<ConversationId>,
    title: Title,
    #[serde(default)]
    #[schema(max_items = 10_000)]
    messages: Vec<MessageBody>,
    created_at: Option<Millis>,
    updated_at: Option<Millis>,
    model: Option<ModelName>,
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

impl ConversationBody {
    /// The conversation under this id. What the client leaves out is made up; the same message id twice is refused.
    pub(super) fn conversation(self, id: ConversationId, now: Millis) -> Result<Conversation> {
        for (place, message) in self.messages.iter().enumerate().filter(|(_, m)| m.role != Role::Assistant) {
            let field = || format!("messages[{place}].content");
            message.content.check_said().map_err(|rule| Error::invalid_field(field(), rule.to_string()))?;
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
            filing: Filing::default(),
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
