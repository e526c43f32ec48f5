//! `GET /api/export`: exports all conversations of the caller.

use std::fmt;
use std::str::FromStr;

use serde_json::value::RawValue;
use shared::Result;
use shared::domain::{RuleBroken, UserId};
use shared::error::Code;
use shared::http::{Answer, Request};
use shared::store::{ListFilter, ListPlace, MessagePlace};

use super::one::{Archive, MOST_BYTES, fitted, read_part};
use crate::conversations::Conversations;
use crate::conversations::answers::wrapped_length;
use crate::conversations::paging::Paging;
use crate::openapi::Cursor;

/// How many conversations one query of the index reads.
const PAGE: usize = 50;

/// Export all conversations
///
/// Returns all conversations of the caller with all branches, in the form that `POST /api/import` accepts. A part has
/// at most 4 MB; a `Link` leads to the next part.
#[utoipa::path(
    get,
    path = "/api/export",
    operation_id = "export_conversations",
    tag = "conversations",
    params(Cursor),
    responses((status = 200, description = "A part of the export.", body = Archive, headers(("Link")))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    group.check_reader(request, user).await?;
    let paging = Paging::plain("/api/export", format!("export {user}"));
    let at = paging.position(request)?.unwrap_or_default();
    let (conversations, next) = collect(group, user, at).await?;
    Ok(paging.link(Answer::ok(&Archive::of(conversations))?, next.as_ref()))
}

/// The conversations from `at` on that fit into one answer, and where the next part begins.
pub(super) async fn collect(
    group: &Conversations,
    user: UserId,
    mut at: ExportPosition,
) -> Result<(Vec<Box<RawValue>>, Option<ExportPosition>)> {
    let (mut conversations, mut bytes) = (Vec::new(), 0);
    loop {
        let page = group
            .app
            .store
            .list_filtered_conversations(user, &ListFilter::default(), at.after.as_ref(), PAGE, PAGE)
            .await?;
        for listed in page.conversations {
            let part = match read_part(group, user, &listed.id, at.within.take(), true).await {
                Ok(part) => part,
                // It was deleted or replaced since the index was read.
                Err(error) if matches!(error.code(), Code::NotFound | Code::Conflict) => {
                    at.after = Some(listed.place);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (conversation, next) = fitted(user, part, MOST_BYTES)?;
            let more = wrapped_length(conversation.get());
            if bytes + more > MOST_BYTES && !conversations.is_empty() {
                return Ok((conversations, Some(at)));
            }
            bytes += more;
            conversations.push(conversation);
            if next.is_some() {
                at.within = next;
                return Ok((conversations, Some(at)));
            }
            at.after = Some(listed.place);
        }
        match page.next {
            Some(next) => at.after = Some(next),
            None => return Ok((conversations, None)),
        }
    }
}

/// Where a part of the export begins: after a conversation of the list and, within the next one, after a message.
#[derive(Clone, Debug, Default)]
pub(super) struct ExportPosition {
    after: Option<ListPlace>,
    within: Option<MessagePlace>,
}

impl fmt::Display for ExportPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(within) = &self.within {
            write!(f, "{within}")?;
        }
        f.write_str("|")?;
        self.after.as_ref().map_or(Ok(()), |after| write!(f, "{after}"))
    }
}

impl FromStr for ExportPosition {
    type Err = RuleBroken;

    fn from_str(text: &str) -> Result<Self, RuleBroken> {
        let (within, after) = text.split_once('|').ok_or_else(|| RuleBroken::new("must be a position"))?;
        Ok(Self {
            after: (!after.is_empty()).then(|| after.parse()).transpose()?,
            within: (!within.is_empty()).then(|| within.parse()).transpose()?,
        })
    }
}
