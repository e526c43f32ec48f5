//! A reply in the form that clients receive over HTTP.

use serde::Serialize;
use shared::domain::{ConversationId, MessageId, ModelName};
use utoipa::ToSchema;

/// A reply, or the part of it that came in time.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reply)]
pub(super) struct ReplyAnswer<'a> {
    /// The conversation that the reply is stored in, if it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) conversation_id: Option<&'a ConversationId>,
    /// The id of the stored reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) message_id: Option<&'a MessageId>,
    #[schema(example = "To the sea.")]
    pub(super) content: &'a str,
    /// The number of tokens of the reply.
    #[schema(example = 3)]
    pub(super) tokens: u64,
    pub(super) model: &'a ModelName,
    /// Why the reply ended: `stop`, `length`, `content_filter`, `stopped`, `interrupted`, or `deadline` after 25 s.
    #[serde(rename = "finish_reason")]
    #[schema(example = "stop")]
    pub(super) finish_reason: &'static str,
    /// The number of oldest messages that did not fit into the model's context.
    #[serde(rename = "left_out", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) left_out: Option<usize>,
}
