//! What a model is asked.

use super::{Entry, Fitted, fit};
use crate::domain::usage::estimated_tokens;
use crate::domain::{Content, GenerationParams, ModelName, Role};

/// What a model is asked: a conversation that ends with the user's message, and how to generate the reply.
#[derive(Clone, Debug)]
pub struct Question {
    /// The model to ask.
    pub model: ModelName,
    /// The conversation so far, oldest message first.
    pub messages: Vec<PromptMessage>,
    /// The generation parameters of the reply.
    pub params: GenerationParams,
}

/// One message of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptMessage {
    /// The author of the message.
    pub role: Role,
    /// The text of the message.
    pub content: Content,
}

impl Question {
    /// The messages to send. Leaves out blank messages, which failed replies leave behind and most providers reject.
    pub(super) fn sent_messages(&self) -> impl Iterator<Item = &PromptMessage> {
        self.messages.iter().filter(|message| !message.content.is_blank())
    }

    /// An estimate of the tokens that a model reads.
    #[must_use]
    pub fn estimated_tokens(&self) -> u64 {
        self.sent_messages().map(|message| estimated_tokens(message.content.as_str())).sum()
    }

    /// The most tokens that the model of `entry` may write.
    pub(super) fn max_tokens_of(&self, entry: &Entry) -> u32 {
        entry.max_tokens_of_reply(self.params).min(entry.max_output)
    }

    /// The question cut to the context window of the model of `entry`, and how many messages that leaves out.
    pub(super) fn fitted_to(&self, entry: &Entry) -> (Self, usize) {
        let Fitted { messages, left_out, params } = fit(self.messages.clone(), entry, self.params);
        (Self { messages, params, ..self.clone() }, left_out)
    }
}
