//! `GET /api/conversations/{id}`: a conversation with all its messages.

use shared::Result;
use shared::clock;
use shared::error::Error;
use shared::http::{Answer, Request};

use super::body::ConversationAnswer;
use super::{Conversations, named};

pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let caller = group.base.caller(request).await?;
    let conversation =
        group.base.store.find_repaired_conversation(caller.user, &named(request)?, clock::now()).await?;
    let conversation = conversation.ok_or_else(Error::no_conversation)?;
    Answer::ok(&ConversationAnswer::new(caller.user, conversation))
}
