//! `PUT /api/conversations/{id}`: replaces a conversation, its messages included.

use shared::Result;
use shared::clock;
use shared::error::Error;
use shared::http::{Answer, Request};

use super::body::{ConversationAnswer, ConversationBody};
use super::{Conversations, named};

pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let caller = group.base.caller(request).await?;
    let id = named(request)?;
    let body: ConversationBody = request.large_json()?;
    if body.id.as_ref().is_some_and(|in_body| *in_body != id) {
        return Err(Error::invalid_field("id", "must be the one in the path"));
    }
    let conversation = body.conversation(id, clock::now())?;
    let stored = group.base.store.replace_conversation(caller.user, &conversation, clock::now()).await?;
    Answer::ok(&ConversationAnswer::new(caller.user, stored))
}
