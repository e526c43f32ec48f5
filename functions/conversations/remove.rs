//! `DELETE /api/conversations/{id}/messages/{messageId}`: deletes one message; what followed it follows the one before.

use serde::Serialize;
use shared::Result;
use shared::clock;
use shared::http::{Answer, Request};

use super::{Conversations, named, named_message};

#[derive(Serialize)]
struct Deleted {
    message: &'static str,
}

pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.base.caller(request).await?.user;
    let (id, message, expected) = (named(request)?, named_message(request)?, request.expected()?);
    let version = group.base.store.delete_message(user, &id, &message, &expected, clock::now()).await?;
    Ok(Answer::ok(&Deleted { message: "Message deleted" })?.with_version(&version))
}
