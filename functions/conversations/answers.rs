//! Conversations and messages in the form that clients receive, and how many of them fit into one answer.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use shared::Result;
use shared::domain::Content;
use shared::domain::{
    Conversation, ConversationId, Folder, Message, MessageId, Millis, ModelName, ReplyStatus, Role, Summary,
    SystemPrompt, Tag, Title, TokenCount, UserId,
};
use shared::error::Error;
use shared::store::{ConversationPart, MessagePlace, PlacedMessage, ShownMessage};
use utoipa::ToSchema;

/// The most bytes of an answer. Lambda limits a response to 6 MB, in which the body is a JSON string: see
/// [`wrapped_length`].
pub(super) const MOST_WRAPPED_BYTES: usize = 6_000_000;
/// The most bytes of a list of conversations, and of one conversation in it.
pub(super) const MOST_LISTED_BYTES: usize = 4 * 1024 * 1024;

/// A conversation.
#[derive(Serialize, ToSchema)]
#[schema(as = Conversation)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConversationAnswer {
    id: ConversationId,
    title: Title,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<MessageAnswer>, required = false)]
    messages: Option<Vec<Box<RawValue>>>,
    created_at: Millis,
    updated_at: Millis,
    model: ModelName,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    system_prompt: Option<SystemPrompt>,
    user_id: UserId,
    #[serde(flatten)]
    filing: FilingAnswer,
    /// The number of messages of the current branch, if `messages` does not have all of them.
    #[serde(rename = "message_count", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message_count: Option<u64>,
    /// The last message of the current branch, if all branches were requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    current_message_id: Option<MessageId>,
}

/// How the user has filed a conversation. Fields that are not set are omitted.
#[derive(Serialize, ToSchema)]
#[schema(as = Filing)]
pub(super) struct FilingAnswer {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) pinned: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) archived: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub(super) tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) folder: Option<Folder>,
}

/// A message.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageAnswer {
    id: MessageId,
    content: Content,
    role: Role,
    timestamp: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    model: Option<ModelName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tokens: Option<TokenCount>,
    /// The status of a reply that the studio made or is making.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status: Option<ReplyStatus>,
    /// The id of the message that this one follows; null for a first message. Present if single messages or all
    /// branches were requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MessageId>, required = false)]
    parent_id: Option<Option<MessageId>>,
}

impl ConversationAnswer {
    /// The conversation with all messages.
    pub(super) fn whole(user_id: UserId, conversation: Conversation) -> Result<Self> {
        let messages: Result<Vec<_>> =
            conversation.messages.into_iter().map(|message| raw(&MessageAnswer::from(message))).collect();
        let mut answer = Self::without_messages(user_id, conversation.summary);
        answer.messages = Some(messages?);
        Ok(answer)
    }

    fn without_messages(user_id: UserId, summary: Summary) -> Self {
        Self {
            id: summary.id,
            title: summary.title,
            messages: None,
            created_at: summary.created_at,
            updated_at: summary.updated_at,
            model: summary.model,
            system_prompt: summary.system_prompt,
            user_id,
            filing: FilingAnswer {
                pinned: summary.filing.pinned,
                archived: summary.filing.archived,
                tags: summary.filing.tags.into(),
                folder: summary.filing.folder,
            },
            message_count: None,
            current_message_id: None,
        }
    }

    /// The conversation without its messages.
    pub(super) fn summary(user_id: UserId, summary: Summary, message_count: u64) -> Self {
        let mut answer = Self::without_messages(user_id, summary);
        answer.message_count = Some(message_count);
        answer
    }

    /// The newest messages of a part that fit into `most_bytes`, and the position at which the next page begins.
    pub(super) fn part(
        user_id: UserId,
        part: ConversationPart,
        most_bytes: usize,
        parents: bool,
    ) -> Result<(Self, Option<MessagePlace>)> {
        let shown = part.messages.len() as u64;
        let mut answer = Self::without_messages(user_id, part.summary);
        answer.current_message_id = part.leaf_id;
        let left = most_bytes.saturating_sub(wrapped_length(raw(&answer)?.get()));
        let (messages, next) = fitting(part.messages, part.more, true, parents, left)?;
        answer.messages = Some(messages);
        let is_all = next.is_none() && shown == part.message_count;
        answer.message_count = (!is_all && !parents).then_some(part.message_count);
        Ok((answer, next))
    }

    /// The oldest messages of a part that fit into `most_bytes`, and the position at which the next page begins.
    pub(super) fn exported(
        user_id: UserId,
        part: ConversationPart,
        most_bytes: usize,
    ) -> Result<(Self, Option<MessagePlace>)> {
        let mut answer = Self::without_messages(user_id, part.summary);
        answer.current_message_id = part.leaf_id;
        let left = most_bytes.saturating_sub(wrapped_length(raw(&answer)?.get()));
        let (messages, next) = fitting(part.messages, part.more, false, true, left)?;
        answer.messages = Some(messages);
        Ok((answer, next))
    }
}

/// Those of `messages` that fit into `most_bytes`, beginning with the newest or the oldest, and the position at which
/// the next page begins. `more` says whether the list goes on after `messages`.
pub(super) fn fitting(
    mut messages: Vec<PlacedMessage>,
    more: bool,
    newest: bool,
    parents: bool,
    most_bytes: usize,
) -> Result<(Vec<Box<RawValue>>, Option<MessagePlace>)> {
    if newest {
        messages.reverse();
    }
    let (mut fitting, mut bytes, mut last, mut cut) = (Vec::new(), 0, None, more);
    for placed in messages {
        let mut answer = MessageAnswer::from(placed.message);
        answer.parent_id = parents.then_some(placed.parent_id);
        let json = raw(&answer)?;
        bytes += wrapped_length(json.get()) + 1;
        if bytes > most_bytes && !fitting.is_empty() {
            cut = true;
            break;
        }
        fitting.push(json);
        last = Some(placed.place);
    }
    if newest {
        fitting.reverse();
    }
    Ok((fitting, last.filter(|_| cut)))
}

/// Serializes a value.
pub(super) fn raw(value: &impl Serialize) -> Result<Box<RawValue>> {
    to_raw_value(value).map_err(Error::internal)
}

/// The length of JSON as a string within JSON, where quotes and backslashes are escaped.
pub(super) fn wrapped_length(json: &str) -> usize {
    json.len() + json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

impl From<ShownMessage> for MessageAnswer {
    fn from(shown: ShownMessage) -> Self {
        Self { parent_id: shown.parent_id, ..Self::from(shown.message) }
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
            parent_id: None,
        }
    }
}
