//! `POST /api/conversations/{id}/messages/{messageId}/stop`: stops a reply.

use serde::Serialize;
use shared::Result;
use shared::chat::ReplyRef;
use shared::domain::{MessageId, ReplyStatus};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use super::Chat;
use crate::openapi::MessagePath;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
struct Stopping<'a> {
    id: &'a MessageId,
    /// `stopping`, or the status with which the reply had ended already.
    #[schema(example = "stopping")]
    status: &'static str,
}

/// Stop a reply
///
/// Stops a reply that is being made. The text so far is kept.
#[utoipa::path(
    post,
    path = "/api/conversations/{id}/messages/{messageId}/stop",
    operation_id = "stop_reply",
    tag = "chat",
    params(MessagePath),
    responses((status = 200, description = "The reply is being stopped, or had ended.", body = Stopping<'_>)),
)]
pub(super) async fn handle(chat: &Chat, request: &Request) -> Result<Answer> {
    let caller = chat.app.caller(request).await?;
    let absent = || Error::new(Code::NotFound, "Reply not found");
    let conversation = Some(request.path("id", absent)?);
    let wanted = ReplyRef { user: caller.user, conversation, message: request.path("messageId", absent)? };
    let status = match chat.replies.stop(&wanted).await? {
        ReplyStatus::Running => "stopping",
        ended => ended.as_str(),
    };
    Answer::ok(&Stopping { id: &wanted.message, status })
}
