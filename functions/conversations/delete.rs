//! `DELETE /api/conversations/{id}`: deletes a conversation and all that hangs on it.

use serde::Serialize;
use shared::Result;
use shared::http::{Answer, Request};

use super::{Conversations, named};

#[derive(Serialize)]
struct Deleted {
    message: &'static str,
}

pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let caller = group.base.caller(request).await?;
    let (id, expected) = (named(request)?, request.expected()?);
    group.base.store.delete_conversation(caller.user, &id, &expected).await?;
    Answer::ok(&Deleted { message: "Conversation deleted" })
}
