//! Conversations.

use super::{ConversationId, Message, Millis, ModelName, SystemPrompt, Title};

/// A conversation without its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Unique within the owner's.
    pub id: ConversationId,
    /// What it is called.
    pub title: Title,
    /// When it began, as the client says.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// The AI model that answers in it.
    pub model: ModelName,
    /// Instructions that stand before all messages.
    pub system_prompt: Option<SystemPrompt>,
}

/// A conversation with its messages, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// All but the messages.
    pub summary: Summary,
    /// Oldest first.
    pub messages: Vec<Message>,
}
