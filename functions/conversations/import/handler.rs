//! `POST /api/import`: imports conversations from an export of the studio, of ChatGPT, of Open WebUI or of the previous
//! server.

use futures_util::future::join_all;
use serde::Serialize;
use shared::Result;
use shared::clock;
use shared::domain::{Millis, UserId};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::ImportOutcome;
use utoipa::ToSchema;

use super::{ChatgptConversation, Entries, ExportedConversation, OpenWebUiChat, parse_entry};
use crate::conversations::Conversations;

/// No write begins later than this. API Gateway waits 30 s, and the last writes need time to finish.
const LONGEST_SECONDS: u64 = 12;
/// How many conversations are written at once.
const AT_ONCE: usize = 4;

/// What an import did.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = ImportReport)]
struct Report {
    /// The number of conversations that were created.
    #[schema(example = 1)]
    imported: usize,
    /// The number of existing conversations to which missing messages were added.
    #[schema(example = 0)]
    completed: usize,
    /// The number of conversations that existed already.
    #[schema(example = 0)]
    unchanged: usize,
    /// The entries that could not be imported.
    errors: Vec<RefusedEntry>,
    /// Present if the time was too short or a limit was reached: send the entries from this position on again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<usize>,
}

/// An entry that could not be imported.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedEntry)]
struct RefusedEntry {
    /// The position of the entry in the list, from 0.
    #[schema(example = 3)]
    position: usize,
    /// Why it was refused.
    #[schema(example = "The entry must have the field `title`")]
    detail: String,
}

/// The body of an import: an export of the studio, or a list of conversations.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only the OpenAPI document uses it; `Entries` splits the file")]
enum Imports {
    Export(ImportedExport),
    List(Vec<ImportedEntry>),
}

/// An export of the studio.
#[derive(ToSchema)]
#[expect(dead_code, reason = "as above")]
struct ImportedExport {
    #[schema(max_items = 10_000)]
    conversations: Vec<ImportedEntry>,
}

/// A conversation of the studio, of ChatGPT or of Open WebUI.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "as above")]
enum ImportedEntry {
    Ours(ExportedConversation),
    Chatgpt(ChatgptConversation),
    OpenWebUi(OpenWebUiChat),
}

/// Import conversations
///
/// Imports conversations from an export of the studio, of ChatGPT (`conversations.json`), of Open WebUI, or of the
/// previous server. Existing conversations keep their content. If an entry is bad, the answer names its position, and
/// the other entries are imported. Importing the same file again changes nothing.
#[utoipa::path(
    post,
    path = "/api/import",
    operation_id = "import_conversations",
    tag = "conversations",
    request_body = Imports,
    responses((status = 200, description = "What was imported.", body = Report)),
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
        let imports = chunk.iter().map(|entry| import_entry(group, user, entry, deadline));
        let outcomes = join_all(imports).await;
        for (outcome, position) in outcomes.into_iter().zip(first..) {
            limit = limit.or(report.count(position, outcome)?);
        }
    }
    match limit {
        Some(limit) if report.is_empty() => Err(limit),
        // Some entries were imported before a limit was reached: the report says where to continue.
        _ => Answer::ok(&report),
    }
}

/// Whether the error says that the user must not write more, now or at all.
fn is_limit(error: &Error) -> bool {
    matches!(error.code(), Code::RateLimited | Code::QuotaExceeded)
}

impl Report {
    /// Whether no entry was imported or known.
    fn is_empty(&self) -> bool {
        self.imported + self.completed + self.unchanged == 0
    }

    /// Counts the outcome of an entry. Returns the error if a limit on writing was reached, after which another
    /// request must continue. Fails on an error of the studio itself; the client can repeat the request.
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
            Err(error) => self.errors.push(RefusedEntry { position, detail: error.detail().to_owned() }),
        }
        Ok(None)
    }
}

async fn import_entry(
    group: &Conversations,
    user: UserId,
    entry: &[u8],
    deadline: Millis,
) -> Result<ImportOutcome> {
    let imported = parse_entry(entry, clock::now())?;
    group.app.store.import_conversation(user, &imported, deadline).await
}
