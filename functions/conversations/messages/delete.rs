//! `DELETE /api/conversations/{id}/messages/{messageId}`: deletes a message. Its replies move to its parent.

use shared::Result;
use shared::clock;
use shared::error::Code;
use shared::http::{Answer, Request};

use crate::conversations::{Conversations, conversation_id, message_id};
use crate::done::Done;
use crate::openapi::{IfMatch, MessagePath};

/// Delete a message
///
/// Deletes one message. Its replies move to its parent.
#[utoipa::path(
    delete,
    path = "/api/conversations/{id}/messages/{messageId}",
    operation_id = "delete_message",
    tag = "conversations",
    params(MessagePath, IfMatch),
    responses((status = 200, description = "The message is deleted.", body = Done, headers(("ETag")))),
    extensions(("x-codes" = json!([Code::ReplyRunning, Code::Conflict]))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, message, expected) = (conversation_id(request)?, message_id(request)?, request.expected()?);
    let version = group.app.store.delete_message(user, &id, &message, &expected, clock::now()).await?;
    Ok(Done::answer("Message deleted")?.with_version(&version))
}
