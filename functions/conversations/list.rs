//! `GET /api/conversations`: the caller's conversations, the last changed first, each with its messages; all of
//! them, up to 4 MB, with a `Link` to the rest.

use serde_json::value::{RawValue, to_raw_value};
use shared::Result;
use shared::domain::UserId;
use shared::error::Error;
use shared::http::{Answer, Request};
use shared::store::{Cursor, Listed};
use tokio::task::JoinSet;

use super::Conversations;
use super::body::ConversationAnswer;

const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Lambda takes answers of 6 MB, in which our JSON is a string.
const MOST_WRAPPED_BYTES: usize = 6_000_000;
/// Conversations that are read at once.
const AT_ONCE: i32 = 25;

pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let caller = group.base.caller(request).await?;
    let mut after: Option<Cursor> = request.query("cursor")?;
    let mut list = Vec::new();
    let (mut bytes, mut wrapped_bytes) = (0, 0);
    loop {
        let page = group.base.store.list_conversations(caller.user, after.as_ref(), AT_ONCE).await?;
        if page.is_empty() {
            return Answer::ok(&list);
        }
        let read = read_all(group, caller.user, &page).await?;
        for (listed, json) in page.into_iter().zip(read) {
            let Some(json) = json else {
                // Deleted since the index was written; the list goes on behind it all the same.
                after = Some(listed.cursor);
                continue;
            };
            bytes += json.get().len() + 1;
            wrapped_bytes += wrapped_length(json.get()) + 1;
            if (bytes > MOST_BYTES || wrapped_bytes > MOST_WRAPPED_BYTES)
                && let Some(after) = after.filter(|_| !list.is_empty())
            {
                return Ok(Answer::ok(&list)?.with_next_page(&format!("/api/conversations?cursor={after}")));
            }
            list.push(json);
            after = Some(listed.cursor);
        }
    }
}

/// How long JSON is as a string within other JSON, where each quote and backslash has a backslash before it.
fn wrapped_length(json: &str) -> usize {
    json.len() + json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

/// The conversations of a page in their order; none where one was deleted meanwhile.
async fn read_all(
    group: &Conversations,
    user: UserId,
    page: &[Listed],
) -> Result<Vec<Option<Box<RawValue>>>> {
    let mut reads = JoinSet::new();
    for (position, listed) in page.iter().enumerate() {
        let (store, id) = (group.base.store.clone(), listed.id.clone());
        reads.spawn(async move { (position, store.find_conversation(user, &id).await) });
    }
    let mut conversations = vec![None; page.len()];
    while let Some(read) = reads.join_next().await {
        let (position, conversation) = read.map_err(Error::internal)?;
        let answer = conversation?.map(|conversation| ConversationAnswer::new(user, conversation));
        let json = answer.map(|answer| to_raw_value(&answer)).transpose().map_err(Error::internal)?;
        if let Some(place) = conversations.get_mut(position) {
            *place = json;
        }
    }
    Ok(conversations)
}
