//! `PATCH /api/conversations/{id}`: changes the title, system prompt, model, filing or current branch of a
//! conversation.

use serde::Deserialize;
use shared::Result;
use shared::clock;
use shared::domain::{Expected, Folder, MessageId, ModelName, SystemPrompt, Tags, Title, Visible};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::ConversationUpdate;

use super::answers::ConversationAnswer;
use super::{Conversations, conversation_id};
use crate::openapi::{ConversationPath, IfMatch};
use utoipa::ToSchema;

/// The fields to change. Omitted fields keep their values; null removes a value.
#[derive(Deserialize, ToSchema)]
#[schema(as = ConversationChange, min_properties = 1, example = json!({"title": "Travel plans", "pinned": true}))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConversationChange {
    #[schema(value_type = Option<Title>)]
    title: Option<Visible<Title>>,
    #[serde(default, deserialize_with = "shared::json::given")]
    system_prompt: Option<Option<SystemPrompt>>,
    model: Option<ModelName>,
    pinned: Option<bool>,
    archived: Option<bool>,
    #[schema(value_type = Option<Tags>)]
    tags: Option<Visible<Tags>>,
    #[serde(default, deserialize_with = "shared::json::given")]
    #[schema(value_type = Option<Folder>)]
    folder: Option<Option<Visible<Folder>>>,
    /// A message. Its branch becomes the current one.
    current_message_id: Option<MessageId>,
}

/// Change a conversation
///
/// Changes the title, system prompt, model, filing (`pinned`, `archived`, `tags`, `folder`) or current branch of a
/// conversation. Omitted fields keep their values; null removes a value.
#[utoipa::path(
    patch,
    path = "/api/conversations/{id}",
    operation_id = "change_conversation",
    tag = "conversations",
    params(ConversationPath, IfMatch),
    request_body = ConversationChange,
    responses((status = 200, description = "The changed conversation, without its messages.", body = ConversationAnswer, headers(("ETag")))),
    extensions(("x-codes" = json!([Code::QuotaExceeded, Code::Conflict]))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, store) = (conversation_id(request)?, &group.app.store);
    let mut expected = request.expected()?;
    let ConversationChange {
        title,
        system_prompt,
        model,
        pinned,
        archived,
        tags,
        folder,
        current_message_id,
    } = request.large_json()?;
    let revised = ConversationUpdate {
        title: title.map(Visible::into_inner),
        system_prompt,
        model,
        pinned,
        archived,
        tags: tags.map(Visible::into_inner),
        folder: folder.map(|folder| folder.map(Visible::into_inner)),
    };
    if revised.is_empty() && current_message_id.is_none() {
        return Err(Error::invalid("The body must have at least one field to change"));
    }
    if let Some(message) = &current_message_id {
        let version = store.select_branch(user, &id, message, &expected).await?;
        // The change of the branch made a new version, which the client cannot know.
        if expected != Expected::Anything {
            expected = Expected::OneOf(vec![version.as_str().to_owned()]);
        }
    }
    let (summary, message_count, version) =
        store.update_conversation(user, &id, &revised, &expected, clock::now()).await?;
    let answer = ConversationAnswer::summary(user, summary, message_count);
    Ok(Answer::ok(&answer)?.with_version(&version))
}
