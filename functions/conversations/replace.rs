//! `PUT /api/conversations/{id}`: replaces a conversation with its messages.

use shared::Result;
use shared::clock;
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use super::answers::{ConversationAnswer, MOST_LISTED_BYTES};
use super::body::WholeConversation;
use super::read::show_whole;
use super::{Conversations, conversation_id};
use crate::openapi::{ConversationPath, IfMatch};

/// Replace a conversation
///
/// Replaces the conversation and its messages. A body without `messages` is refused with 422. `pinned`, `archived`,
/// `tags` and `folder` keep their values. Of a conversation of more than 4 MB, a client may have received the newest
/// messages only, so messages older than the oldest one in the body are kept.
#[utoipa::path(
    put,
    path = "/api/conversations/{id}",
    operation_id = "replace_conversation",
    tag = "conversations",
    params(ConversationPath, IfMatch),
    request_body = WholeConversation,
    responses((status = 200, description = "The conversation as stored.", body = ConversationAnswer, headers(("ETag"), ("Link")))),
    extensions(("x-codes" = json!([Code::QuotaExceeded, Code::ReplyRunning, Code::Conflict]))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, expected) = (conversation_id(request)?, request.expected()?);
    let body: WholeConversation = request.large_json()?;
    if body.id.as_ref().is_some_and(|in_body| *in_body != id) {
        return Err(Error::invalid_field("id", "must be the one in the path"));
    }
    let replacement = body.replacement(id, clock::now())?;
    let (store, now) = (&group.app.store, clock::now());
    let stored = store.replace_conversation(user, &replacement, &expected, MOST_LISTED_BYTES, now).await?;
    let (conversation, version) = stored;
    show_whole(group, user, conversation, &version).await
}
