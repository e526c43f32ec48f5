//! `DELETE /api/conversations/{id}`: deletes a conversation and all that hangs on it.

use serde::Serialize;
use shared::Result;
use shared::error::Code;
use shared::http::{Answer, Request};

use super::{Conversations, named};
use crate::openapi::{ConversationPath, IfMatch};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = Done)]
struct Deleted {
    /// What was done, for people.
    #[schema(example = "Done")]
    message: &'static str,
}

/// Delete a conversation
///
/// And all that hangs on it. Its id stays taken for 24 h.
#[utoipa::path(
    delete,
    path = "/api/conversations/{id}",
    operation_id = "delete_conversation",
    tag = "conversations",
    params(ConversationPath, IfMatch),
    responses((status = 200, description = "It is deleted.", body = Deleted)),
    extensions(("x-codes" = json!([Code::Conflict]))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let caller = group.app.caller(request).await?;
    let (id, expected) = (named(request)?, request.expected()?);
    group.app.store.delete_conversation(caller.user, &id, &expected).await?;
    Answer::ok(&Deleted { message: "Conversation deleted" })
}
