//! `GET /api/conversations/{id}/export`: a conversation with all that `POST /api/import` needs to make the same one again, or
//! to be read by people; in parts of at most 4 MB.

use serde::Serialize;
use serde_json::value::RawValue;
use shared::domain::{ConversationId, Message, Role, UserId};
use shared::error::Code;
use shared::http::{Answer, Request, cursor, percent_encoded};
use shared::store::{ConversationPart, MessagePlace, PartRequest};
use shared::{Result, clock};
use utoipa::ToSchema;

use crate::conversations::answers::{ConversationAnswer, raw};
use crate::conversations::parameters::{ExportFormat, repeated, with};
use crate::conversations::{Conversations, named};
use crate::openapi::{ConversationPath, Cursor};

/// Of one part. An answer has at most 6 MB, in which quotes count twice.
pub(super) const MOST_BYTES: usize = 4_000_000;

/// What `POST /api/import` takes.
#[derive(Serialize, ToSchema)]
pub(super) struct Archive {
    /// Always `ai-chat-studio/1`.
    #[schema(example = "ai-chat-studio/1")]
    format: &'static str,
    #[schema(value_type = Vec<ConversationAnswer>)]
    conversations: Vec<Box<RawValue>>,
}

impl Archive {
    pub(super) fn of(conversations: Vec<Box<RawValue>>) -> Self {
        Self { format: "ai-chat-studio/1", conversations }
    }
}

/// Export a conversation
///
/// With all that `POST /api/import` needs to make the same one again, all branches; or as a text for people. A `Link` leads to the
/// next part beyond 4 MB.
#[utoipa::path(
    get,
    path = "/api/conversations/{id}/export",
    operation_id = "export_conversation",
    tag = "conversations",
    params(
        ConversationPath,
        ("format" = Option<ExportFormat>, Query, description = "For programs (`json`, unless something is said), or for people."),
        Cursor
    ),
    responses((
        status = 200,
        description = "The conversation.",
        content((Archive = "application/json"), (String = "text/markdown")),
        headers(("Link"))
    )),
    extensions(("x-codes" = json!([Code::Conflict]))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    group.check_reader(request, user).await?;
    let id = named(request)?;
    let format = request.query("format")?.unwrap_or(ExportFormat::Json);
    let repeat = repeated(request, &["format"])?;
    let scope = format!("export {user} {id} {repeat}");
    let after: Option<MessagePlace> = request.cursor(&scope)?;
    let part = part(group, user, &id, after, format == ExportFormat::Json).await?;
    let (answer, next) = match format {
        ExportFormat::Json => {
            let (conversation, next) = fitted(user, part, MOST_BYTES)?;
            (Answer::ok(&Archive::of(vec![conversation]))?, next)
        }
        ExportFormat::Markdown => {
            let (text, next) = markdown(&part)?;
            (Answer::markdown(text), next)
        }
    };
    Ok(match next {
        Some(next) => {
            let query = with(repeat, "cursor", &cursor::seal(&scope, &next));
            answer
                .with_next_page(&format!("/api/conversations/{}/export{query}", percent_encoded(id.as_str())))
        }
        None => answer,
    })
}

pub(super) async fn part(
    group: &Conversations,
    user: UserId,
    id: &ConversationId,
    after: Option<MessagePlace>,
    all_branches: bool,
) -> Result<ConversationPart> {
    let wanted =
        PartRequest { newest: false, after, all_branches, most: usize::MAX, most_bytes: MOST_BYTES / 2 };
    let mut part = group.app.store.get_part(user, id, &wanted, clock::now()).await?;
    if all_branches {
        group.app.store.find_parents(user, &mut part).await?;
    }
    Ok(part)
}

pub(super) fn fitted(
    user: UserId,
    part: ConversationPart,
    most: usize,
) -> Result<(Box<RawValue>, Option<MessagePlace>)> {
    let (answer, next) = ConversationAnswer::exported(user, part, most)?;
    Ok((raw(&answer)?, next))
}

/// As much of a conversation for people as one answer holds, and where it goes on.
fn markdown(part: &ConversationPart) -> Result<(String, Option<MessagePlace>)> {
    let mut text = format!("# {}\n", part.summary.title);
    if let Some(prompt) = &part.summary.system_prompt {
        text.push_str(&format!("\n> {}\n", prompt.as_str().replace('\n', "\n> ")));
    }
    let mut bytes = raw(&text)?.get().len();
    let mut last = None;
    for placed in &part.messages {
        let said = section(&placed.message);
        bytes += raw(&said)?.get().len();
        if bytes > MOST_BYTES && last.is_some() {
            return Ok((text, last));
        }
        text.push_str(&said);
        last = Some(placed.place.clone());
    }
    Ok((text, last.filter(|_| part.more)))
}

fn section(message: &Message) -> String {
    let who = match message.role {
        Role::User => "User",
        Role::Assistant => "Assistant",
        Role::System => "System",
    };
    format!("\n## {who} · {}\n\n{}\n", message.timestamp, message.content.as_str())
}
