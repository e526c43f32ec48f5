//! `POST /api/conversations/{id}/fork`: a copy of a conversation up to one of its messages, as a new conversation.

use serde::Deserialize;
use shared::Result;
use shared::clock;
use shared::domain::{ConversationId, MessageId};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::Creation;

use super::answers::ConversationAnswer;
use super::read::{show, show_whole};
use super::{Conversations, named};
use crate::openapi::{ConversationPath, IdempotencyKey};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"messageId": "m1"}))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fork {
    message_id: MessageId,
    /// Of the copy.
    id: Option<ConversationId>,
}

/// Fork a conversation
///
/// Makes a new one: a copy up to one of its messages.
#[utoipa::path(
    post,
    path = "/api/conversations/{id}/fork",
    operation_id = "fork_conversation",
    tag = "conversations",
    params(ConversationPath, IdempotencyKey),
    request_body = Fork,
    responses((status = 200, description = "The copy.", body = ConversationAnswer, headers(("ETag"), ("Link")))),
    extensions(("x-codes" = json!([Code::QuotaExceeded, Code::ConversationExists, Code::ConversationDeleted, Code::ReplyRunning]))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, store, once) = (named(request)?, &group.app.store, request.once()?);
    let fork: Fork = request.json()?;
    if let Some(made) = store.find_made(user, once.as_ref()).await? {
        return show(group, user, &made.parse().map_err(Error::internal)?).await;
    }
    let copy = fork.id.unwrap_or_else(|| ConversationId::new(clock::new_ulid()));
    let conversation = store.copy_up_to(user, &id, &fork.message_id, copy, clock::now()).await?;
    match store.create_conversation(user, &conversation, once.as_ref()).await? {
        Creation::Now(version) => show_whole(group, user, conversation, &version).await,
        Creation::Before(made) => show(group, user, &made.parse().map_err(Error::internal)?).await,
    }
}
