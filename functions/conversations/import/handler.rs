//! `POST /api/import`: conversations from an export of ours, of ChatGPT, of Open WebUI or of the old server. A bad one is told of
//! by its position, and the rest imported; what is there already stays as it is.

use futures_util::future::join_all;
use serde::Serialize;
use shared::Result;
use shared::clock;
use shared::domain::{Millis, UserId};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::ImportOutcome;
use utoipa::ToSchema;

use super::{ChatgptConversation, Entries, ImportedConversation, OpenWebUiChat, imported};
use crate::conversations::Conversations;

/// The HTTP API gives up after 30 s, and what is begun by then needs a moment to end.
const LONGEST_SECONDS: u64 = 12;
/// Conversations that are written at once.
const AT_ONCE: usize = 4;

/// What came of it. When there is `next`, time was over, or one request writes no more: the entries from this position on are to be sent again.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = ImportReport)]
struct Report {
    /// Conversations that were not there.
    #[schema(example = 1)]
    imported: usize,
    /// Conversations that lacked messages.
    #[schema(example = 0)]
    completed: usize,
    /// Conversations that were there.
    #[schema(example = 0)]
    unchanged: usize,
    errors: Vec<Refused>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<usize>,
}

/// An entry that is bad.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedEntry)]
struct Refused {
    #[schema(example = 3)]
    position: usize,
    #[schema(example = "The entry must have the field `title`")]
    detail: String,
}

/// What can be imported.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it tells the document what `entries` reads by itself")]
enum Imports {
    Export(ImportedExport),
    List(Vec<ImportedEntry>),
}

/// An export of ours.
#[derive(ToSchema)]
#[expect(dead_code, reason = "as above")]
struct ImportedExport {
    #[schema(max_items = 10_000)]
    conversations: Vec<ImportedEntry>,
}

/// A conversation, of ours, of ChatGPT or of Open WebUI. What it lacks or has too much is told of in the answer.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "as above")]
enum ImportedEntry {
    Ours(ImportedConversation),
    Chatgpt(ChatgptConversation),
    OpenWebUi(OpenWebUiChat),
}

/// Import conversations
///
/// From an export of ours, of ChatGPT (`conversations.json`), of Open WebUI, or of the old server. What is there already stays as it
/// is; a bad entry is told of by its position, and the rest imported. Importing the same file again changes nothing.
#[utoipa::path(
    post,
    path = "/api/import",
    operation_id = "import_conversations",
    tag = "conversations",
    request_body = Imports,
    responses((status = 200, description = "What came of it.", body = Report)),
    extensions(("x-codes" = json!([Code::QuotaExceeded]))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let entries = Entries::of(request.json_file()?)?;
    let deadline = clock::now().plus_seconds(LONGEST_SECONDS);
    let mut report = Report::default();
    let mut limit = None;
    for (chunk, first) in entries.as_slice().chunks(AT_ONCE).zip((0..).step_by(AT_ONCE)) {
        if clock::now() >= deadline {
            report.next = Some(first);
        }
        if report.next.is_some() {
            break;
        }
        let outcomes = join_all(chunk.iter().map(|entry| import(group, user, entry, deadline))).await;
        for (outcome, position) in outcomes.into_iter().zip(first..) {
            limit = limit.or(report.count(position, outcome)?);
        }
    }
    match limit {
        Some(limit) if report.is_empty() => Err(limit),
        // What was there or was imported before a limit was reached is told of, and where to go on.
        _ => Answer::ok(&report),
    }
}

/// Whether the user may write no more, in this request, at this time, or at all.
fn is_limit(error: &Error) -> bool {
    matches!(error.code(), Code::RateLimited | Code::QuotaExceeded)
}

impl Report {
    /// Whether nothing came of any entry.
    fn is_empty(&self) -> bool {
        self.imported + self.completed + self.unchanged == 0
    }

    /// Counts what became of an entry. Says when a limit on writing was reached: then the import goes on there with another
    /// request. Our own failures end the import: the same request again goes on.
    fn count(&mut self, position: usize, outcome: Result<ImportOutcome>) -> Result<Option<Error>> {
        match outcome {
            Ok(ImportOutcome::Created) => self.imported += 1,
            Ok(ImportOutcome::Completed) => self.completed += 1,
            Ok(ImportOutcome::Unchanged) => self.unchanged += 1,
            Ok(ImportOutcome::Partial) => self.next = self.next.or(Some(position)),
            Err(error) if error.code().is_our_fault() => return Err(error),
            Err(error) if is_limit(&error) => {
                self.next = self.next.or(Some(position));
                return Ok(Some(error));
            }
            Err(error) => self.errors.push(Refused { position, detail: error.detail().to_owned() }),
        }
        Ok(None)
    }
}

async fn import(
    group: &Conversations,
    user: UserId,
    entry: &[u8],
    deadline: Millis,
) -> Result<ImportOutcome> {
    let imported = imported(entry, clock::now())?;
    group.app.store.import_conversation(user, &imported, deadline).await
}
