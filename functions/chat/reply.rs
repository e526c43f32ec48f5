//! A reply as clients get it over HTTP.

use serde::Serialize;
use shared::domain::{ConversationId, MessageId, ModelName};
use utoipa::ToSchema;

/// A reply, or as much of it as came in time.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reply)]
pub(super) struct ReplyAnswer<'a> {
    /// Where it is stored, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) conversation_id: Option<&'a ConversationId>,
    /// The id of the stored reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) message_id: Option<&'a MessageId>,
    #[schema(example = "To the sea.")]
    pub(super) content: &'a str,
    /// Of the reply.
    #[schema(example = 3)]
    pub(super) tokens: u64,
    pub(super) model: &'a ModelName,
    /// `stop`, `length`, `content_filter`, `stopped`, `interrupted`, or `deadline` after 25 s.
    #[serde(rename = "finish_reason")]
    #[schema(example = "stop")]
    pub(super) finish_reason: &'static str,
    /// How many of the oldest messages the model had no room for.
    #[serde(rename = "left_out", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) left_out: Option<usize>,
}
