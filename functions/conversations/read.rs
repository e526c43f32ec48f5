//! `GET /api/conversations/{id}`: reads a conversation with its messages.

use shared::Result;
use shared::clock;
use shared::domain::{Conversation, ConversationId, UserId, Version};
use shared::error::Code;
use shared::http::{Answer, Request};
use shared::store::{ConversationPart, PartRequest};

use super::answers::{ConversationAnswer, MOST_WRAPPED_BYTES, raw, wrapped_length};
use super::paging::{Paging, conversation_path};
use super::parameters::{Branches, Limit};
use super::{Conversations, conversation_id};
use crate::openapi::{ConversationPath, Cursor, IfNoneMatch};

/// Read a conversation
///
/// Returns the conversation with the messages of its current branch, or of all branches with `branch=all`. If it has
/// more messages than fit into 6 MB, or than `messages` allows, the answer has the newest of them, their total
/// number, and a `Link` to older ones.
#[utoipa::path(
    get,
    path = "/api/conversations/{id}",
    operation_id = "read_conversation",
    tag = "conversations",
    params(
        ConversationPath,
        ("messages" = Option<Limit>, Query, description = "The maximum number of messages, newest first."),
        ("branch" = Option<Branches>, Query, description = "The current branch or all branches. Default: `current`."),
        Cursor,
        IfNoneMatch
    ),
    responses(
        (status = 200, description = "The conversation.", body = ConversationAnswer, headers(("ETag"), ("Link"))),
        (status = 304, description = "The version that the client has is current.", headers(("ETag")))
    ),
    extensions(("x-codes" = json!([Code::Conflict]))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, store) = (conversation_id(request)?, &group.app.store);
    let all_branches = request.query("branch")? == Some(Branches::All);
    let limit = request.query::<Limit>("messages")?;
    let scope = format!("conversation {user} {id}");
    let paging = Paging::new(conversation_path(&id, ""), &scope, request, &["messages", "branch"])?;
    let wanted = PartRequest {
        after: paging.position(request)?,
        most: limit.map_or(usize::MAX, |Limit(limit)| limit),
        all_branches,
        ..PartRequest::whole(MOST_WRAPPED_BYTES)
    };
    if let Some(known) = request.known()? {
        let version = store.get_conversation_version(user, &id).await?;
        if known.iter().any(|known| known == version.as_str()) {
            return Ok(Answer::not_modified(&version));
        }
    }
    let mut part = store.get_conversation_part(user, &id, &wanted, clock::now()).await?;
    if all_branches {
        store.fill_parent_ids(user, &mut part).await?;
    }
    show_part(user, part, all_branches, paging)
}

/// Answers with a part of a conversation and a `Link` to the next part.
fn show_part(user: UserId, part: ConversationPart, all_branches: bool, paging: Paging) -> Result<Answer> {
    let version = part.version.clone();
    let (answer, next) = ConversationAnswer::part(user, part, MOST_WRAPPED_BYTES, all_branches)?;
    Ok(paging.link(Answer::ok(&answer)?.with_version(&version), next.as_ref()))
}

/// Answers with a conversation as it is now.
pub(super) async fn show(group: &Conversations, user: UserId, id: &ConversationId) -> Result<Answer> {
    let part = group
        .app
        .store
        .get_conversation_part(user, id, &PartRequest::whole(MOST_WRAPPED_BYTES), clock::now())
        .await?;
    show_part(user, part, false, Paging::of_conversation(user, id))
}

/// Answers with a conversation that was just stored, or with its newest messages if it is too large for one answer.
pub(super) async fn show_whole(
    group: &Conversations,
    user: UserId,
    conversation: Conversation,
    version: &Version,
) -> Result<Answer> {
    let id = conversation.summary.id.clone();
    let answer = raw(&ConversationAnswer::whole(user, conversation)?)?;
    if wrapped_length(answer.get()) > MOST_WRAPPED_BYTES {
        return show(group, user, &id).await;
    }
    Ok(Answer::ok(&answer)?.with_version(version))
}
