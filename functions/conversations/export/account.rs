//! `GET /api/auth/me/export`: everything that is stored about the caller, in parts of at most 5 MB: first the records of
//! the account, then the conversations as `GET /api/export` has them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use shared::Result;
use shared::domain::{Credential, RuleBroken};
use shared::http::{Answer, Request, cursor};

use super::all;
use crate::conversations::Conversations;
use crate::conversations::answers::ConversationAnswer;
use crate::openapi::Cursor;
use utoipa::ToSchema;

/// One part of what is stored about a user.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountPart)]
struct AccountPart {
    /// Always `ai-chat-studio/account/1`.
    #[schema(example = "ai-chat-studio/account/1")]
    format: &'static str,
    /// Profile, sessions, keys, statistics, usage: each as it is stored, without what would let somebody in.
    #[schema(value_type = Vec<Object>)]
    records: Vec<Value>,
    /// As `POST /api/import` takes them back.
    #[schema(value_type = Vec<ConversationAnswer>)]
    conversations: Vec<Box<RawValue>>,
}

/// Where it goes on: behind a record, or in the conversations.
enum AccountPosition {
    UserRecords(Option<String>),
    Conversations(all::ExportPosition),
}

/// Export everything stored about the user
///
/// Without what would let somebody in, in parts of at most 5 MB, each with a `Link` to the next: first the records of the account,
/// then the conversations as `GET /api/export` has them.
#[utoipa::path(
    get,
    path = "/api/auth/me/export",
    operation_id = "export_account",
    tag = "accounts",
    params(Cursor),
    responses((status = 200, description = "What is stored.", body = AccountPart, headers(("Link")))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let caller = group.app.caller(request).await?;
    let user = caller.user;
    group.check_reader(request, user).await?;
    let scope = format!("account {user}");
    let (mut records, mut from) = (Vec::new(), all::ExportPosition::default());
    match request.cursor(&scope)?.unwrap_or(AccountPosition::UserRecords(None)) {
        AccountPosition::UserRecords(after) => {
            let page = group.app.store.list_records(user, after).await?;
            records = page.records;
            if let Credential::Key(_) = caller.credential {
                // It does not list them by their own routes either.
                records.retain(|record| !["session", "key"].map(Some).contains(&record["kind"].as_str()));
            }
            if let Some(next) = page.next {
                return answer(records, Vec::new(), &scope, Some(AccountPosition::UserRecords(Some(next))));
            }
        }
        AccountPosition::Conversations(place) => from = place,
    }
    let (conversations, next) = all::collect(group, user, from).await?;
    answer(records, conversations, &scope, next.map(AccountPosition::Conversations))
}

fn answer(
    records: Vec<Value>,
    conversations: Vec<Box<RawValue>>,
    scope: &str,
    next: Option<AccountPosition>,
) -> Result<Answer> {
    let answer = Answer::ok(&AccountPart { format: "ai-chat-studio/account/1", records, conversations })?;
    Ok(match next {
        Some(next) => {
            answer.with_next_page(&format!("/api/auth/me/export?cursor={}", cursor::seal(scope, &next)))
        }
        None => answer,
    })
}

impl fmt::Display for AccountPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserRecords(after) => write!(f, "r{}", after.as_deref().unwrap_or_default()),
            Self::Conversations(place) => write!(f, "c{place}"),
        }
    }
}

impl FromStr for AccountPosition {
    type Err = RuleBroken;

    fn from_str(text: &str) -> Result<Self, RuleBroken> {
        if let Some(after) = text.strip_prefix('r') {
            return Ok(Self::UserRecords((!after.is_empty()).then(|| after.to_owned())));
        }
        let place = text.strip_prefix('c').ok_or_else(|| RuleBroken::new("must be a place"))?;
        Ok(Self::Conversations(place.parse()?))
    }
}
