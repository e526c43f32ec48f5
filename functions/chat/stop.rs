//! `POST /api/conversations/{id}/messages/{messageId}/stop`: stops a reply; what had come of it is kept.

use serde::Serialize;
use shared::Result;
use shared::domain::{MessageId, ReplyStatus};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::replies::Wanted;

use super::Chat;

#[derive(Serialize)]
struct Stopping<'a> {
    id: &'a MessageId,
    /// `stopping`, or how it ended.
    status: &'static str,
}

pub(super) async fn handle(chat: &Chat, request: &Request) -> Result<Answer> {
    let caller = chat.base.caller(request).await?;
    let absent = || Error::new(Code::NotFound, "Reply not found");
    let conversation = Some(request.path("id", absent)?);
    let wanted = Wanted { user: caller.user, conversation, message: request.path("messageId", absent)? };
    let status = match chat.replies.stop(&wanted).await? {
        ReplyStatus::Running => "stopping",
        ended => ended.as_str(),
    };
    Answer::ok(&Stopping { id: &wanted.message, status })
}
