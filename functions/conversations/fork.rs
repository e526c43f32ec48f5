//! `POST /api/conversations/{id}/fork`: copies a conversation, up to one of its messages, into a new conversation.

use serde::Deserialize;
use shared::Result;
use shared::clock;
use shared::domain::{ConversationId, MessageId};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use super::answers::ConversationAnswer;
use super::create::create;
use super::read::show;
use super::{Conversations, conversation_id};
use crate::openapi::{ConversationPath, IdempotencyKey};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"messageId": "m1"}))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fork {
    /// The last message to copy.
    message_id: MessageId,
    /// The id of the new conversation.
    id: Option<ConversationId>,
}

/// Fork a conversation
///
/// Creates a new conversation with a copy of this one's messages, up to and including the named message.
#[utoipa::path(
    post,
    path = "/api/conversations/{id}/fork",
    operation_id = "fork_conversation",
    tag = "conversations",
    params(ConversationPath, IdempotencyKey),
    request_body = Fork,
    responses((status = 200, description = "The new conversation.", body = ConversationAnswer, headers(("ETag"), ("Link")))),
    extensions(("x-codes" = json!([Code::QuotaExceeded, Code::ConversationExists, Code::ConversationDeleted, Code::ReplyRunning]))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, store, once) = (conversation_id(request)?, &group.app.store, request.once()?);
    let fork: Fork = request.json()?;
    // The original may have changed since the first attempt, so it must not be read again.
    if let Some(made) = store.find_earlier_result(user, once.as_ref()).await? {
        return show(group, user, &made.parse().map_err(Error::internal)?).await;
    }
    let copy = fork.id.unwrap_or_else(|| ConversationId::new(clock::new_ulid()));
    let conversation = store.get_copy_up_to(user, &id, &fork.message_id, copy, clock::now()).await?;
    create(group, user, conversation, once.as_ref()).await
}
