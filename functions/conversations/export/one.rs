//! `GET /api/conversations/{id}/export`: exports a conversation, for `POST /api/import` or for people to read.

use serde::Serialize;
use serde_json::value::RawValue;
use shared::Result;
use shared::clock;
use shared::domain::{ConversationId, Message, Role, UserId};
use shared::error::Code;
use shared::http::{Answer, Request};
use shared::store::{ConversationPart, MessagePlace, PartRequest};
use utoipa::ToSchema;

use crate::conversations::answers::{ConversationAnswer, raw};
use crate::conversations::paging::{Paging, conversation_path};
use crate::conversations::parameters::ExportFormat;
use crate::conversations::{Conversations, conversation_id};
use crate::openapi::{ConversationPath, Cursor};

/// The most bytes of one part. Lambda limits a response to 6 MB, in which quotes and backslashes are escaped.
pub(super) const MOST_BYTES: usize = 4_000_000;

/// An export, in the form that `POST /api/import` accepts.
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
/// Returns the conversation with all branches, in the form that `POST /api/import` accepts, or its current branch as
/// Markdown. A part has at most 4 MB; a `Link` leads to the next part.
#[utoipa::path(
    get,
    path = "/api/conversations/{id}/export",
    operation_id = "export_conversation",
    tag = "conversations",
    params(
        ConversationPath,
        ("format" = Option<ExportFormat>, Query, description = "For programs or for people. Default: `json`."),
        Cursor
    ),
    responses((
        status = 200,
        description = "A part of the export.",
        content((Archive = "application/json"), (String = "text/markdown")),
        headers(("Link"))
    )),
    extensions(("x-codes" = json!([Code::Conflict]))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    group.check_reader(request, user).await?;
    let id = conversation_id(request)?;
    let format = request.query("format")?.unwrap_or(ExportFormat::Json);
    let (path, scope) = (conversation_path(&id, "/export"), format!("export {user} {id}"));
    let paging = Paging::new(path, &scope, request, &["format"])?;
    let after: Option<MessagePlace> = paging.position(request)?;
    let part = read_part(group, user, &id, after, format == ExportFormat::Json).await?;
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
    Ok(paging.link(answer, next.as_ref()))
}

/// Reads a part of a conversation, the oldest messages first.
pub(super) async fn read_part(
    group: &Conversations,
    user: UserId,
    id: &ConversationId,
    after: Option<MessagePlace>,
    all_branches: bool,
) -> Result<ConversationPart> {
    let wanted =
        PartRequest { newest: false, after, all_branches, most: usize::MAX, most_bytes: MOST_BYTES / 2 };
    let mut part = group.app.store.get_conversation_part(user, id, &wanted, clock::now()).await?;
    if all_branches {
        group.app.store.fill_parent_ids(user, &mut part).await?;
    }
    Ok(part)
}

/// Serializes the messages of a part that fit into `most` bytes, and returns where the next part begins.
pub(super) fn fitted(
    user: UserId,
    part: ConversationPart,
    most: usize,
) -> Result<(Box<RawValue>, Option<MessagePlace>)> {
    let (answer, next) = ConversationAnswer::exported(user, part, most)?;
    Ok((raw(&answer)?, next))
}

/// Writes the messages of a part that fit into one answer as Markdown, and returns where the next part begins.
fn markdown(part: &ConversationPart) -> Result<(String, Option<MessagePlace>)> {
    let mut text = format!("# {}\n", part.summary.title);
    if let Some(prompt) = &part.summary.system_prompt {
        text.push_str(&format!("\n> {}\n", prompt.as_str().replace('\n', "\n> ")));
    }
    let mut bytes = raw(&text)?.get().len();
    let mut last = None;
    for placed in &part.messages {
        let section = section_of(&placed.message);
        bytes += raw(&section)?.get().len();
        if bytes > MOST_BYTES && last.is_some() {
            return Ok((text, last));
        }
        text.push_str(&section);
        last = Some(placed.place.clone());
    }
    Ok((text, last.filter(|_| part.more)))
}

fn section_of(message: &Message) -> String {
    let who = match message.role {
        Role::User => "User",
        Role::Assistant => "Assistant",
        Role::System => "System",
    };
    format!("\n## {who} · {}\n\n{}\n", message.timestamp, message.content.as_str())
}
