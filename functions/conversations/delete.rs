//! `DELETE /api/conversations/{id}`: deletes a conversation with its messages.

use shared::Result;
use shared::error::Code;
use shared::http::{Answer, Request};

use super::{Conversations, conversation_id};
use crate::done::Done;
use crate::openapi::{ConversationPath, IfMatch};

/// Delete a conversation
///
/// Deletes the conversation with its messages. Its id cannot be used again for 24 h.
#[utoipa::path(
    delete,
    path = "/api/conversations/{id}",
    operation_id = "delete_conversation",
    tag = "conversations",
    params(ConversationPath, IfMatch),
    responses((status = 200, description = "The conversation is deleted.", body = Done)),
    extensions(("x-codes" = json!([Code::Conflict]))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let caller = group.app.caller(request).await?;
    let (id, expected) = (conversation_id(request)?, request.expected()?);
    group.app.store.delete_conversation(caller.user, &id, &expected).await?;
    Done::answer("Conversation deleted")
}
