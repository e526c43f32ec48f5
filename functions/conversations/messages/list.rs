//! `GET /api/conversations/{id}/messages`: the messages of a conversation by the page, from either end.

use shared::error::Code;
use shared::http::{Answer, Request, cursor, percent_encoded};
use shared::store::PartRequest;
use shared::{Result, clock};

use crate::conversations::answers::{MOST_WRAPPED_BYTES, MessageAnswer, fitting};
use crate::conversations::parameters::{Branches, Limit, Order, repeated, with};
use crate::conversations::{Conversations, named};
use crate::openapi::{ConversationPath, Cursor};

/// How many a page has unless the client says.
const PAGE: usize = 50;

/// List messages
///
/// The messages of a conversation by the page, from either end.
#[utoipa::path(
    get,
    path = "/api/conversations/{id}/messages",
    operation_id = "list_messages",
    tag = "conversations",
    params(
        ConversationPath,
        ("limit" = Option<Limit>, Query, description = "How many at most: 50, unless something is said."),
        ("order" = Option<Order>, Query, description = "From the oldest (`asc`, unless something is said), or from the newest."),
        ("branch" = Option<Branches>, Query, description = "The current branch, unless something is said."),
        Cursor
    ),
    responses((status = 200, description = "The messages.", body = [MessageAnswer], headers(("ETag"), ("Link")))),
    extensions(("x-codes" = json!([Code::Conflict]))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, store) = (named(request)?, &group.app.store);
    let newest = request.query("order")? == Some(Order::Newest);
    let repeat = repeated(request, &["limit", "order", "branch"])?;
    let scope = format!("messages {user} {id} {repeat}");
    let wanted = PartRequest {
        newest,
        after: request.cursor(&scope)?,
        all_branches: request.query("branch")? == Some(Branches::All),
        most: request.query::<Limit>("limit")?.map_or(PAGE, |Limit(limit)| limit),
        most_bytes: MOST_WRAPPED_BYTES,
    };
    let mut part = store.get_part(user, &id, &wanted, clock::now()).await?;
    store.find_parents(user, &mut part).await?;
    let version = part.version.clone();
    let (mut messages, next) = fitting(part.messages, part.more, newest, true, MOST_WRAPPED_BYTES)?;
    if newest {
        messages.reverse();
    }
    let answer = Answer::ok(&messages)?.with_version(&version);
    Ok(match next {
        Some(next) => {
            let query = with(repeat, "cursor", &cursor::seal(&scope, &next));
            answer.with_next_page(&format!(
                "/api/conversations/{}/messages{query}",
                percent_encoded(id.as_str())
            ))
        }
        None => answer,
    })
}
