//! Counters of a user's conversations and messages. Each write of a conversation computes how the counters change; the
//! same rules give the totals when everything is counted anew.

use std::collections::BTreeMap;

use super::{Day, Message, ModelName, Role, Summary};

/// Changes of counters. Totals have the same type: they are the changes from zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Conversations.
    pub conversations: i64,
    /// Messages.
    pub messages: i64,
    /// Tokens of messages.
    pub tokens: i64,
    /// Code points of assistant messages.
    pub response_length: i64,
    /// Approximate size of what is stored, in bytes.
    pub bytes: i64,
    /// Messages by role.
    pub roles: BTreeMap<Role, i64>,
    /// Messages by hour of the day in UTC.
    pub hours: BTreeMap<usize, i64>,
    /// Conversations by AI model.
    pub models: BTreeMap<ModelName, i64>,
    /// Changes by day in UTC.
    pub days: BTreeMap<Day, DayTally>,
}

/// Changes of the counters of one day, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayTally {
    /// Conversations that began.
    pub conversations: i64,
    /// Messages.
    pub messages: i64,
    /// Tokens of messages.
    pub tokens: i64,
}

/// Approximate stored bytes of a conversation and of a message besides their texts.
const BYTES_OF_A_CONVERSATION: usize = 500;
const BYTES_OF_A_MESSAGE: usize = 300;

fn size(overhead: usize, text: usize) -> i64 {
    i64::try_from(overhead.saturating_add(text)).unwrap_or(i64::MAX)
}

impl DayTally {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

impl Tally {
    /// Adds (`sign` 1) or subtracts (-1) a conversation without its messages.
    pub fn count_conversation(&mut self, conversation: &Summary, sign: i64) {
        self.conversations += sign;
        self.count_conversation_size(conversation, sign);
        *self.models.entry(conversation.model.clone()).or_default() += sign;
        self.days.entry(conversation.created_at.day()).or_default().conversations += sign;
    }

    /// Adds (`sign` 1) or subtracts (-1) the size of a conversation without its messages.
    pub fn count_conversation_size(&mut self, conversation: &Summary, sign: i64) {
        let prompt = conversation.system_prompt.as_ref().map_or(0, |prompt| prompt.as_str().len());
        self.bytes += sign * size(BYTES_OF_A_CONVERSATION, prompt);
    }

    /// Adds (`sign` 1) or subtracts (-1) a message.
    pub fn count_message(&mut self, message: &Message, sign: i64) {
        let tokens = message.tokens.map_or(0, |tokens| i64::try_from(tokens.get()).unwrap_or(i64::MAX));
        self.messages += sign;
        self.bytes += sign * size(BYTES_OF_A_MESSAGE, message.content.as_str().len());
        self.tokens += sign * tokens;
        if message.role == Role::Assistant {
            let length = message.content.as_str().chars().count();
            self.response_length += sign * i64::try_from(length).unwrap_or(i64::MAX);
        }
        *self.roles.entry(message.role).or_default() += sign;
        *self.hours.entry(message.timestamp.hour()).or_default() += sign;
        let day = self.days.entry(message.timestamp.day()).or_default();
        day.messages += sign;
        day.tokens += sign * tokens;
    }

    /// Adds (`sign` 1) or subtracts (-1) all of `messages`.
    pub fn count_messages<'a>(&mut self, messages: impl IntoIterator<Item = &'a Message>, sign: i64) {
        for message in messages {
            self.count_message(message, sign);
        }
    }

    /// Whether any counter but those of days and models changes.
    #[must_use]
    pub fn changes_totals(&self) -> bool {
        self.conversations != 0
            || self.messages != 0
            || self.tokens != 0
            || self.response_length != 0
            || self.bytes != 0
            || self.roles.values().chain(self.hours.values()).any(|change| *change != 0)
    }
}
