//! `POST /api/conversations`: stores a new conversation.

use shared::Result;
use shared::clock;
use shared::domain::ConversationId;
use shared::http::{Answer, Request};

use super::Conversations;
use super::body::{ConversationAnswer, ConversationBody};

pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let caller = group.base.caller(request).await?;
    let mut body: ConversationBody = request.large_json()?;
    let id = body.id.take().unwrap_or_else(|| ConversationId::new(clock::new_ulid()));
    let conversation = body.conversation(id, clock::now())?;
    group.base.store.create_conversation(caller.user, &conversation).await?;
    Answer::ok(&ConversationAnswer::new(caller.user, conversation))
}
