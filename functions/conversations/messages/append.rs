//! `POST /api/conversations/{id}/messages`: appends a message to a branch, or begins another branch with it.

use serde::Deserialize;
use shared::Result;
use shared::clock;
use shared::domain::{Content, Follows, MessageId, Millis, ModelName, Role, TokenCount};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::{Creation, NewMessage};

use crate::conversations::answers::MessageAnswer;
use crate::conversations::{Conversations, conversation_id};
use crate::openapi::{ConversationPath, IdempotencyKey, IfMatch};
use shared::json::given;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(as = NewMessage, example = json!({"role": "user", "content": "Where shall we go?"}))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MessageToAppend {
    id: Option<MessageId>,
    content: Content,
    role: Role,
    timestamp: Option<Millis>,
    model: Option<ModelName>,
    tokens: Option<TokenCount>,
    /// The message that the new one follows; null for another first message. Default: the last message of the current
    /// branch.
    #[serde(default, deserialize_with = "given")]
    parent_id: Option<Option<MessageId>>,
}

/// Append a message
///
/// Appends a message to the current branch, or after the message `parentId`. If other messages follow that one already,
/// the new message begins another branch. Sending a message with the same `id` again changes nothing.
#[utoipa::path(
    post,
    path = "/api/conversations/{id}/messages",
    operation_id = "append_message",
    tag = "conversations",
    params(ConversationPath, IfMatch, IdempotencyKey),
    request_body = MessageToAppend,
    responses((status = 200, description = "The message as stored.", body = MessageAnswer, headers(("ETag")))),
    extensions(("x-codes" = json!([Code::QuotaExceeded, Code::MessageExists, Code::Conflict]))),
)]
pub(in crate::conversations) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (id, store, now) = (conversation_id(request)?, &group.app.store, clock::now());
    let (expected, once) = (request.expected()?, request.once()?);
    let body: MessageToAppend = request.large_json()?;
    let content = body.content.written_by(body.role);
    let content = content.map_err(|rule| Error::invalid_field("content", rule.to_string()))?;
    let names_parent = body.parent_id.is_some();
    let message = NewMessage {
        id: body.id,
        fresh: clock::new_ulid(),
        role: body.role,
        content,
        timestamp: body.timestamp.unwrap_or(now),
        model: body.model,
        tokens: body.tokens,
        follows: body.parent_id.map_or(Follows::Leaf, Follows::Message),
    };
    let made = store.append_message(user, &id, &message, &expected, once.as_ref(), now).await?;
    let (shown, version) = match made {
        Creation::New(made) => made,
        Creation::Repeated(message) => {
            let (mut shown, version) =
                store.get_message(user, &id, &message.parse().map_err(Error::internal)?).await?;
            // The first answer had the parent only if the request named one, or if there was none.
            shown.parent_id = shown.parent_id.filter(|parent| names_parent || parent.is_none());
            (shown, version)
        }
    };
    Ok(Answer::ok(&MessageAnswer::from(shown))?.with_version(&version))
}
