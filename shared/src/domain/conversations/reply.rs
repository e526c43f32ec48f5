//! Replies of a model: their place, status, charge and ending.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::usage::Usage;
use crate::domain::{Content, ConversationId, MessageId, ModelName, TokenCount, UserId};

/// The status of a reply. The last four are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReplyStatus {
    /// Acknowledged; no worker has begun.
    Pending,
    /// A worker is generating the reply.
    Running,
    /// The model finished.
    Complete,
    /// The user stopped it; the text so far is kept.
    Stopped,
    /// The model produced no text.
    Failed,
    /// The worker or the model failed midway; the text so far is kept.
    Interrupted,
}

impl ReplyStatus {
    /// Whether the reply has ended.
    #[must_use]
    pub fn is_end(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// The name on the wire and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Where a reply is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyPlace {
    /// The user whose reply it is.
    pub user: UserId,
    /// The id of the assistant's message.
    pub message: MessageId,
    /// The conversation and the number of the message in it. `None` for a reply that is stored in no conversation.
    pub within: Option<(ConversationId, u64)>,
}

impl ReplyPlace {
    /// The place of a reply that is message `number` of `conversation`.
    #[must_use]
    pub fn stored(user: UserId, conversation: ConversationId, message: MessageId, number: u64) -> Self {
        Self { user, message, within: Some((conversation, number)) }
    }

    /// The place of a loose reply: one that belongs to no conversation.
    #[must_use]
    pub fn loose(user: UserId, message: MessageId) -> Self {
        Self { user, message, within: None }
    }

    /// The conversation that contains the reply.
    #[must_use]
    pub fn conversation(&self) -> Option<&ConversationId> {
        self.within.as_ref().map(|(conversation, _)| conversation)
    }

    /// The name under which a day's usage item lists this reply: `number#conversation`, or `#message` without one.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.within {
            Some((conversation, number)) => format!("{number}#{conversation}"),
            None => format!("#{}", self.message),
        }
    }

    /// The place with this [`Self::name`]. The message id of a reply in a conversation is not part of the name and
    /// stays nil.
    #[must_use]
    pub fn named(user: UserId, name: &str) -> Option<Self> {
        let (number, rest) = name.split_once('#')?;
        if number.is_empty() {
            return Some(Self::loose(user, rest.parse().ok()?));
        }
        let number = number.parse().ok()?;
        let unknown = MessageId::new(ulid::Ulid::nil(), number);
        Some(Self::stored(user, rest.parse().ok()?, unknown, number))
    }
}

/// What a reply has used, in tokens and money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The model to account the usage to: always one of the offered models, never a name that a client invented.
    pub model: ModelName,
    /// The tokens.
    pub usage: Usage,
    /// The price in millionths of a dollar.
    pub micro_dollars: u64,
}

/// How a reply ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The final status.
    pub status: ReplyStatus,
    /// The whole text.
    pub content: Content,
    /// The model that generated it.
    pub model: ModelName,
    /// What the reply used. `None` when no model was asked.
    pub charge: Option<Charge>,
    /// The number of the last chunk that was pushed.
    pub seq: Option<u64>,
    /// An estimate of the tokens of the conversation so far, which the next prompt will contain. `None` when unknown.
    pub past_tokens: Option<u64>,
}

impl Ending {
    /// The number of tokens that the model wrote.
    #[must_use]
    pub fn tokens(&self) -> TokenCount {
        let output = self.charge.as_ref().map_or(0, |charge| charge.usage.output);
        TokenCount::try_from(output).unwrap_or_default()
    }
}
