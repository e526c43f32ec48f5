//! `POST /api/conversations/delete`: deletes a list of conversations, or all conversations of the caller.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use shared::Result;
use shared::clock;
use shared::domain::ConversationId;
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use super::Conversations;

const MOST_IDS: usize = 1000;
/// No deletion begins later than this. API Gateway waits 30 s, and the last deletion needs time to finish.
const LONGEST_SECONDS: u64 = 15;

#[derive(Deserialize, ToSchema)]
#[schema(as = WhichConversations, min_properties = 1, example = json!({"ids": ["travel-plans", "recipes"]}))]
#[serde(deny_unknown_fields)]
struct WhichConversations {
    #[schema(max_items = 1000)]
    ids: Option<Vec<ConversationId>>,
    /// True to delete all conversations, in place of `ids`.
    all: Option<bool>,
}

/// How much was deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = DeletedConversations)]
struct DeletedConversations {
    /// The number of conversations that were deleted.
    #[schema(example = 2)]
    deleted: usize,
    /// Whether the time was too short. Send the same request again to continue.
    remaining: bool,
}

/// Delete many conversations
///
/// Deletes a list of conversations, or all of them. If `remaining` is true, the time was too short: send the same
/// request again to continue.
#[utoipa::path(
    post,
    path = "/api/conversations/delete",
    operation_id = "delete_conversations",
    tag = "conversations",
    request_body = WhichConversations,
    responses((status = 200, description = "How much was deleted.", body = DeletedConversations)),
    extensions(("x-codes" = json!([Code::Conflict]))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (store, deadline) = (&group.app.store, clock::now().plus_seconds(LONGEST_SECONDS));
    let (deleted, remaining) = match request.large_json()? {
        WhichConversations { ids: Some(ids), all: None } => {
            let ids = without_duplicates(ids)?;
            let (looked_at, deleted) = store.delete_conversations(user, &ids, deadline).await?;
            store.finish_cleanups(user, deadline).await?;
            (deleted, looked_at < ids.len())
        }
        WhichConversations { ids: None, all: Some(true) } => {
            let (deleted, done) = store.delete_all_conversations(user, deadline).await?;
            (deleted, !done)
        }
        _ => return Err(Error::invalid("The body must have either `ids`, or `all` with the value true")),
    };
    Answer::ok(&DeletedConversations { deleted, remaining })
}

fn without_duplicates(ids: Vec<ConversationId>) -> Result<Vec<ConversationId>> {
    if ids.len() > MOST_IDS {
        return Err(Error::invalid_field("ids", format!("must have at most {MOST_IDS} ids")));
    }
    let mut seen = HashSet::new();
    Ok(ids.into_iter().filter(|id| seen.insert(id.clone())).collect())
}
