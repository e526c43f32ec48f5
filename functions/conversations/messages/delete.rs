//! `DELETE /api/conversations/{id}/messages/{messageId}`: deletes one message; what followed it follows the one before.

use serde::Serialize;
use shared::Result;
use shared::clock;
use shared::error::Code;
use shared::http::{Answer, Request};

use crate::conversations::{Conversations, named, named_message};
use crate::openapi::{IfMatch, MessagePath};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = Done)]
struct Deleted {
    /// What was done, for people.
    #[schema(example = "Done")]
    message: &'static str,
}

/// Delete a message
///
/// What followed it follows the one before.
#[utoipa::path(
    delete,
    path = "/api/conversations/{id}/messages/{messageId}",
    operation_id = "delete_message",
    tag = "conversations",
    params(MessagePath, IfMatch),
    responses((status = 200, description = "It is deleted.", body = Deleted, headers(("ETag")))),
    extensions(("x-codes" = json!([Code::ReplyRunning, Code::Conflict]))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, message, expected) = (named(request)?, named_message(request)?, request.expected()?);
    let version = group.app.store.delete_message(user, &id, &message, &expected, clock::now()).await?;
    Ok(Answer::ok(&Deleted { message: "Message deleted" })?.with_version(&version))
}
