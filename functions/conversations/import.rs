//! `POST /api/import`: conversations from an export of ours, of ChatGPT or of the old server. A bad one is told of by its
//! position, and the rest imported; what is there already stays as it is.

use futures_util::future::join_all;
use serde::Serialize;
use serde_json::Value;
use shared::Result;
use shared::clock;
use shared::domain::{Millis, UserId};
use shared::error::Error;
use shared::http::{Answer, Request};
use shared::json;
use shared::store::{ImportOutcome, Imported};

use super::Conversations;
use super::chatgpt::Chatgpt;
use super::entry::Entry;

const MOST_ENTRIES: usize = 10_000;
/// The HTTP API gives up after 30 s, and what is begun by then needs a moment to end.
const LONGEST_SECONDS: u64 = 12;
/// Conversations that are written at once.
const AT_ONCE: usize = 4;

/// What came of it. When there is `next`, time was over: the entries from this position on are to be sent again.
#[derive(Default, Serialize)]
struct Report {
    imported: usize,
    completed: usize,
    unchanged: usize,
    errors: Vec<Refused>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<usize>,
}

#[derive(Serialize)]
struct Refused {
    position: usize,
    detail: String,
}

pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.base.caller(request).await?.user;
    let entries = entries(request.large_json()?)?;
    let deadline = clock::now().plus_seconds(LONGEST_SECONDS);
    let mut report = Report::default();
    for (chunk, first) in entries.chunks(AT_ONCE).zip((0..).step_by(AT_ONCE)) {
        if clock::now() >= deadline {
            report.next = Some(first);
        }
        if report.next.is_some() {
            break;
        }
        let outcomes = join_all(chunk.iter().map(|entry| import(group, user, entry, deadline))).await;
        for (outcome, position) in outcomes.into_iter().zip(first..) {
            report.count(position, outcome)?;
        }
    }
    Answer::ok(&report)
}

impl Report {
    /// Counts what became of an entry. Our own failures end the import: the same again goes on.
    fn count(&mut self, position: usize, outcome: Result<ImportOutcome>) -> Result<()> {
        match outcome {
            Ok(ImportOutcome::Created) => self.imported += 1,
            Ok(ImportOutcome::Completed) => self.completed += 1,
            Ok(ImportOutcome::Unchanged) => self.unchanged += 1,
            Ok(ImportOutcome::Unfinished) => self.next = self.next.or(Some(position)),
            Err(error) if error.code().is_our_fault() => return Err(error),
            Err(error) => self.errors.push(Refused { position, detail: error.detail().to_owned() }),
        }
        Ok(())
    }
}

fn entries(body: Value) -> Result<Vec<Value>> {
    let entries = match body {
        Value::Array(entries) => entries,
        Value::Object(mut fields) => match fields.remove("conversations") {
            Some(Value::Array(entries)) => entries,
            _ => return Err(Error::invalid_field("conversations", "must be a list")),
        },
        _ => return Err(Error::invalid("The body must be a list of conversations, or an export")),
    };
    if entries.len() > MOST_ENTRIES {
        return Err(Error::invalid(format!("At most {MOST_ENTRIES} conversations are imported at once")));
    }
    Ok(entries)
}

async fn import(
    group: &Conversations,
    user: UserId,
    entry: &Value,
    deadline: Millis,
) -> Result<ImportOutcome> {
    let imported = parse(entry, clock::now())?;
    group.base.store.import_conversation(user, &imported, deadline).await
}

fn parse(entry: &Value, now: Millis) -> Result<Imported> {
    let text = entry.to_string();
    if entry.get("mapping").is_some() {
        json::parse::<Chatgpt>(text.as_bytes())?.imported(&text, now)
    } else {
        json::parse::<Entry>(text.as_bytes())?.imported(&text, now)
    }
}
