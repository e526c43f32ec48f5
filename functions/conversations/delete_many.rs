//! `POST /api/conversations/delete`: deletes a list of conversations, or all of them.

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
/// The HTTP API gives up after 30 s, and what is begun by then needs a moment to end.
const LONGEST_SECONDS: u64 = 15;

#[derive(Deserialize, ToSchema)]
#[schema(as = WhichConversations, min_properties = 1, example = json!({"ids": ["travel-plans", "recipes"]}))]
#[serde(deny_unknown_fields)]
struct WhichConversations {
    #[schema(max_items = 1000)]
    ids: Option<Vec<ConversationId>>,
    /// In the place of `ids`; only true means something.
    all: Option<bool>,
}

/// What was deleted. When `remaining` is true, the same request again goes on.
#[derive(Serialize, ToSchema)]
#[schema(as = DeletedConversations)]
struct DeletedConversations {
    /// How many.
    #[schema(example = 2)]
    deleted: usize,
    remaining: bool,
}

/// Delete many conversations
///
/// A list of them, or all. When `remaining` is true, time was over, and the same request again goes on.
#[utoipa::path(
    post,
    path = "/api/conversations/delete",
    operation_id = "delete_conversations",
    tag = "conversations",
    request_body = WhichConversations,
    responses((status = 200, description = "What was deleted.", body = DeletedConversations)),
    extensions(("x-codes" = json!([Code::Conflict]))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (store, deadline) = (&group.app.store, clock::now().plus_seconds(LONGEST_SECONDS));
    let (deleted, remaining) = match request.large_json()? {
        WhichConversations { ids: Some(ids), all: None } => {
            let ids = distinct(ids)?;
            let (looked_at, deleted) = store.delete_conversations(user, &ids, deadline).await?;
            store.finish_unfinished(user, deadline).await?;
            (deleted, looked_at < ids.len())
        }
        WhichConversations { ids: None, all: Some(true) } => {
            let (deleted, done) = store.delete_all_conversations(user, deadline).await?;
            (deleted, !done)
        }
        _ => return Err(Error::invalid("The body must have either `ids` or `all`, which must be true")),
    };
    Answer::ok(&DeletedConversations { deleted, remaining })
}

fn distinct(ids: Vec<ConversationId>) -> Result<Vec<ConversationId>> {
    if ids.len() > MOST_IDS {
        return Err(Error::invalid_field("ids", format!("must be at most {MOST_IDS}")));
    }
    let mut seen = HashSet::new();
    Ok(ids.into_iter().filter(|id| seen.insert(id.clone())).collect())
}
