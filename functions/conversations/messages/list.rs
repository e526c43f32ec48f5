//! `GET /api/conversations/{id}/messages`: lists the messages of a conversation in pages, from either end.

use shared::Result;
use shared::clock;
use shared::error::Code;
use shared::http::{Answer, Request};
use shared::store::PartRequest;

use crate::conversations::answers::{MOST_WRAPPED_BYTES, MessageAnswer, fitting};
use crate::conversations::paging::{Paging, conversation_path};
use crate::conversations::parameters::{Branches, Limit, Order};
use crate::conversations::{Conversations, conversation_id};
use crate::openapi::{ConversationPath, Cursor};

/// How many messages a page has by default.
const PAGE: usize = 50;

/// List messages
///
/// Lists the messages of a conversation in pages, from either end. A `Link` leads to the next page.
#[utoipa::path(
    get,
    path = "/api/conversations/{id}/messages",
    operation_id = "list_messages",
    tag = "conversations",
    params(
        ConversationPath,
        ("limit" = Option<Limit>, Query, description = "The maximum number of messages. Default: 50."),
        ("order" = Option<Order>, Query, description = "Beginning with the oldest message or the newest. Default: `asc`."),
        ("branch" = Option<Branches>, Query, description = "The current branch or all branches. Default: `current`."),
        Cursor
    ),
    responses((status = 200, description = "The messages.", body = [MessageAnswer], headers(("ETag"), ("Link")))),
    extensions(("x-codes" = json!([Code::Conflict]))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, store) = (conversation_id(request)?, &group.app.store);
    let newest = request.query("order")? == Some(Order::Newest);
    let (path, scope) = (conversation_path(&id, "/messages"), format!("messages {user} {id}"));
    let paging = Paging::new(path, &scope, request, &["limit", "order", "branch"])?;
    let wanted = PartRequest {
        newest,
        after: paging.position(request)?,
        all_branches: request.query("branch")? == Some(Branches::All),
        most: request.query::<Limit>("limit")?.map_or(PAGE, |Limit(limit)| limit),
        most_bytes: MOST_WRAPPED_BYTES,
    };
    let mut part = store.get_conversation_part(user, &id, &wanted, clock::now()).await?;
    store.fill_parent_ids(user, &mut part).await?;
    let version = part.version.clone();
    let (mut messages, next) = fitting(part.messages, part.more, newest, true, MOST_WRAPPED_BYTES)?;
    if newest {
        messages.reverse();
    }
    let answer = Answer::ok(&messages)?.with_version(&version);
    Ok(paging.link(answer, next.as_ref()))
}
