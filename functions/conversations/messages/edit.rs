//! `PATCH /api/conversations/{id}/messages/{messageId}`: changes a message.

use serde::Deserialize;
use shared::Result;
use shared::clock;
use shared::domain::{Content, ModelName, TokenCount};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::MessageUpdate;

use crate::conversations::answers::MessageAnswer;
use crate::conversations::{Conversations, conversation_id, message_id};
use crate::openapi::{IfMatch, MessagePath};
use shared::json::given;
use utoipa::ToSchema;

/// The fields to change. Omitted fields keep their values; null removes a value.
#[derive(Deserialize, ToSchema)]
#[schema(as = MessageChange, min_properties = 1, example = json!({"content": "Where do we go?"}))]
#[serde(deny_unknown_fields)]
struct MessageChange {
    content: Option<Content>,
    #[serde(default, deserialize_with = "given")]
    tokens: Option<Option<TokenCount>>,
    #[serde(default, deserialize_with = "given")]
    model: Option<Option<ModelName>>,
}

/// Change a message
///
/// Changes the message without moving it. Omitted fields keep their values; null removes a value.
#[utoipa::path(
    patch,
    path = "/api/conversations/{id}/messages/{messageId}",
    operation_id = "change_message",
    tag = "conversations",
    params(MessagePath, IfMatch),
    request_body = MessageChange,
    responses((status = 200, description = "The changed message.", body = MessageAnswer, headers(("ETag")))),
    extensions(("x-codes" = json!([Code::QuotaExceeded, Code::ReplyRunning, Code::Conflict]))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, message, expected) = (conversation_id(request)?, message_id(request)?, request.expected()?);
    let MessageChange { content, tokens, model } = request.large_json()?;
    if content.is_none() && tokens.is_none() && model.is_none() {
        return Err(Error::invalid("The body must have at least one field to change"));
    }
    let revised = MessageUpdate { content, tokens, model };
    let store = &group.app.store;
    let (shown, version) =
        store.update_message(user, &id, &message, &revised, &expected, clock::now()).await?;
    Ok(Answer::ok(&MessageAnswer::from(shown))?.with_version(&version))
}
