//! `GET /api/auth/me/export`: exports everything that is stored about the caller: first the records of the account,
//! then the conversations.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use shared::Result;
use shared::domain::{Credential, RuleBroken};
use shared::http::{Answer, Request};

use super::all;
use crate::conversations::Conversations;
use crate::conversations::answers::ConversationAnswer;
use crate::conversations::paging::Paging;
use crate::openapi::Cursor;
use utoipa::ToSchema;

/// A part of everything that is stored about a user.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountPart)]
struct AccountPart {
    /// Always `ai-chat-studio/account/1`.
    #[schema(example = "ai-chat-studio/account/1")]
    format: &'static str,
    /// The stored records without secrets: profile, sessions, keys, statistics, usage.
    #[schema(value_type = Vec<Object>)]
    records: Vec<Value>,
    /// Conversations, in the form that `POST /api/import` accepts.
    #[schema(value_type = Vec<ConversationAnswer>)]
    conversations: Vec<Box<RawValue>>,
}

/// Where the next part begins: after a record, or in the conversations.
enum AccountPosition {
    Records(Option<String>),
    Conversations(all::ExportPosition),
}

/// Export your account
///
/// Returns everything that is stored about the caller except secrets: first the records of the account, then the
/// conversations, as `GET /api/export` does. A part has at most 5 MB; a `Link` leads to the next part.
#[utoipa::path(
    get,
    path = "/api/auth/me/export",
    operation_id = "export_account",
    tag = "accounts",
    params(Cursor),
    responses((status = 200, description = "A part of the export.", body = AccountPart, headers(("Link")))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let caller = group.app.caller(request).await?;
    let user = caller.user;
    group.check_reader(request, user).await?;
    let paging = Paging::plain("/api/auth/me/export", format!("account {user}"));
    let (mut records, mut from) = (Vec::new(), all::ExportPosition::default());
    match paging.position(request)?.unwrap_or(AccountPosition::Records(None)) {
        AccountPosition::Records(after) => {
            let page = group.app.store.list_records(user, after).await?;
            records = page.records;
            if let Credential::Key(_) = caller.credential {
                // An API key cannot list sessions and keys by their own routes either.
                records.retain(|record| !["session", "key"].map(Some).contains(&record["kind"].as_str()));
            }
            if let Some(next) = page.next {
                return answer(records, Vec::new(), paging, Some(&AccountPosition::Records(Some(next))));
            }
        }
        AccountPosition::Conversations(place) => from = place,
    }
    let (conversations, next) = all::collect(group, user, from).await?;
    answer(records, conversations, paging, next.map(AccountPosition::Conversations).as_ref())
}

fn answer(
    records: Vec<Value>,
    conversations: Vec<Box<RawValue>>,
    paging: Paging,
    next: Option<&AccountPosition>,
) -> Result<Answer> {
    let part = AccountPart { format: "ai-chat-studio/account/1", records, conversations };
    Ok(paging.link(Answer::ok(&part)?, next))
}

impl fmt::Display for AccountPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(after) => write!(f, "r{}", after.as_deref().unwrap_or_default()),
            Self::Conversations(place) => write!(f, "c{place}"),
        }
    }
}

impl FromStr for AccountPosition {
    type Err = RuleBroken;

    fn from_str(text: &str) -> Result<Self, RuleBroken> {
        if let Some(after) = text.strip_prefix('r') {
            return Ok(Self::Records((!after.is_empty()).then(|| after.to_owned())));
        }
        let place = text.strip_prefix('c').ok_or_else(|| RuleBroken::new("must be a position"))?;
        Ok(Self::Conversations(place.parse()?))
    }
}
