//! `PATCH /api/conversations/{id}/messages/{messageId}`: changes a message in its place.

use serde::Deserialize;
use shared::Result;
use shared::clock;
use shared::domain::{Content, ModelName, TokenCount};
use shared::error::Error;
use shared::http::{Answer, Request};
use shared::store::RevisedMessage;

use super::answers::MessageAnswer;
use super::{Conversations, named, named_message};
use shared::json::given;

/// What is left out stays; null takes away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    content: Option<Content>,
    #[serde(default, deserialize_with = "given")]
    tokens: Option<Option<TokenCount>>,
    #[serde(default, deserialize_with = "given")]
    model: Option<Option<ModelName>>,
}

pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.base.caller(request).await?.user;
    let (id, message, expected) = (named(request)?, named_message(request)?, request.expected()?);
    let Changes { content, tokens, model } = request.large_json()?;
    if content.is_none() && tokens.is_none() && model.is_none() {
        return Err(Error::invalid("The body must have at least one field to change"));
    }
    let revised = RevisedMessage { content, tokens, model };
    let store = &group.base.store;
    let (shown, version) =
        store.revise_message(user, &id, &message, &revised, &expected, clock::now()).await?;
    Ok(Answer::ok(&MessageAnswer::from(shown))?.with_version(&version))
}
