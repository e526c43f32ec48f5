//! `POST /api/conversations`: creates a conversation.

use shared::Result;
use shared::clock;
use shared::domain::{Conversation, ConversationId, Once, UserId};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::Creation;

use super::Conversations;
use super::answers::ConversationAnswer;
use super::body::NewConversation;
use super::read::{show, show_whole};
use crate::openapi::IdempotencyKey;

/// Create a conversation
///
/// The client may choose the `id`. An id that is in use, or whose conversation was deleted in the last 24 h, is
/// refused.
#[utoipa::path(
    post,
    path = "/api/conversations",
    operation_id = "create_conversation",
    tag = "conversations",
    params(IdempotencyKey),
    request_body = NewConversation,
    responses((status = 200, description = "The conversation as stored.", body = ConversationAnswer, headers(("ETag"), ("Link")))),
    extensions(("x-codes" = json!([Code::QuotaExceeded, Code::ConversationExists, Code::ConversationDeleted, Code::NotFound]))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let mut body: NewConversation = request.large_json()?;
    let id = body.id.take().unwrap_or_else(|| ConversationId::new(clock::new_ulid()));
    let (conversation, once) = (body.conversation(id, clock::now())?, request.once()?);
    create(group, user, conversation, once.as_ref()).await
}

/// Stores a conversation and answers with it. A request that was handled before under the same idempotency key stores
/// nothing, and is answered with the conversation that it created.
pub(super) async fn create(
    group: &Conversations,
    user: UserId,
    conversation: Conversation,
    once: Option<&Once>,
) -> Result<Answer> {
    match group.app.store.create_conversation(user, &conversation, once).await? {
        Creation::New(version) => show_whole(group, user, conversation, &version).await,
        Creation::Repeated(id) => show(group, user, &id.parse().map_err(Error::internal)?).await,
    }
}
