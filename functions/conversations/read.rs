//! `GET /api/conversations/{id}`: a conversation with its messages; of a very long one the newest, with a `Link` to
//! those before them.

use shared::domain::{Conversation, ConversationId, UserId, Version};
use shared::error::Code;
use shared::http::{Answer, Request, cursor, percent_encoded};
use shared::store::{ConversationPart, PartRequest};
use shared::{Result, clock};

use super::answers::{ConversationAnswer, MOST_WRAPPED_BYTES, raw, wrapped_length};
use super::parameters::{Branches, Limit, repeated, with};
use super::{Conversations, named};
use crate::openapi::{ConversationPath, Cursor, IfNoneMatch};

/// Read a conversation
///
/// With its messages: those of the current branch, or all with `branch=all`. Of a very long one, or with `messages`, the newest,
/// their number, and a `Link` to those before them.
#[utoipa::path(
    get,
    path = "/api/conversations/{id}",
    operation_id = "read_conversation",
    tag = "conversations",
    params(
        ConversationPath,
        ("messages" = Option<Limit>, Query, description = "How many of the newest messages at most."),
        ("branch" = Option<Branches>, Query, description = "The current branch, unless something is said."),
        Cursor,
        IfNoneMatch
    ),
    responses(
        (status = 200, description = "The conversation.", body = ConversationAnswer, headers(("ETag"), ("Link"))),
        (status = 304, description = "What the client has is what there is.", headers(("ETag")))
    ),
    extensions(("x-codes" = json!([Code::Conflict]))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, store) = (named(request)?, &group.app.store);
    let all_branches = request.query("branch")? == Some(Branches::All);
    let limit = request.query::<Limit>("messages")?;
    let repeat = repeated(request, &["messages", "branch"])?;
    let wanted = PartRequest {
        after: request.cursor(&scope(user, &id, &repeat))?,
        most: limit.map_or(usize::MAX, |Limit(limit)| limit),
        all_branches,
        ..PartRequest::whole(MOST_WRAPPED_BYTES)
    };
    if let Some(known) = request.known()? {
        let version = store.get_version(user, &id).await?;
        if known.iter().any(|known| known == version.as_str()) {
            return Ok(Answer::not_modified(&version));
        }
    }
    let mut part = store.get_part(user, &id, &wanted, clock::now()).await?;
    if all_branches {
        store.find_parents(user, &mut part).await?;
    }
    show_part(user, &id, part, all_branches, repeat)
}

fn scope(user: UserId, id: &ConversationId, repeat: &str) -> String {
    format!("conversation {user} {id} {repeat}")
}

/// A part of a conversation, with a `Link` to the rest. `repeat` is what the link asks for.
fn show_part(
    user: UserId,
    id: &ConversationId,
    part: ConversationPart,
    all_branches: bool,
    repeat: String,
) -> Result<Answer> {
    let version = part.version.clone();
    let (answer, next) = ConversationAnswer::part(user, part, MOST_WRAPPED_BYTES, all_branches)?;
    let answer = Answer::ok(&answer)?.with_version(&version);
    Ok(match next {
        Some(next) => {
            let cursor = cursor::seal(&scope(user, id, &repeat), &next);
            let query = with(repeat, "cursor", &cursor);
            answer.with_next_page(&format!("/api/conversations/{}{query}", percent_encoded(id.as_str())))
        }
        None => answer,
    })
}

/// A conversation as it is now: the answer to a request that made it before.
pub(super) async fn show(group: &Conversations, user: UserId, id: &ConversationId) -> Result<Answer> {
    let part =
        group.app.store.get_part(user, id, &PartRequest::whole(MOST_WRAPPED_BYTES), clock::now()).await?;
    show_part(user, id, part, false, String::new())
}

/// A conversation that was just stored, as long as the answer holds all of it.
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
