//! `POST /api/chat` with a `conversationId`: a stored turn, whose reply is made within the request, or, if the client prefers,
//! after it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use shared::Result;
use shared::chat::{FinishedReply, INLINE_TIMEOUT, TimeLimits, TurnRequest};
use shared::clock;
use shared::domain::{
    ConversationId, Message, MessageId, ModelName, ReplyPlace, ReplyStatus, TokenCount, User,
};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::store::{FoundReply, StartedTurn};
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use super::Chat;
use super::reply::ReplyAnswer;

/// How long the windows may take for the last frames while the request waits.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often it is looked whether somebody else has ended a reply.
const PAUSE: Duration = Duration::from_millis(200);

/// A turn whose reply is made afterwards.
#[derive(Serialize, ToSchema)]
#[schema(as = AcceptedTurn)]
#[serde(rename_all = "camelCase")]
pub(super) struct AcceptedAnswer<'a> {
    #[schema(required = true, nullable = false)]
    conversation_id: Option<&'a ConversationId>,
    message_id: &'a MessageId,
    #[schema(value_type = ReplyStatus)]
    status: &'static str,
}

pub(super) async fn handle(
    chat: &Chat,
    request: &Request,
    user: &Arc<User>,
    turn: TurnRequest,
) -> Result<Answer> {
    let deadline = Instant::now() + INLINE_TIMEOUT;
    let started = chat.turns.start(user, turn).await?;
    if request.prefers("respond-async") {
        return accept(chat, &started).await;
    }
    let place = match started {
        StartedTurn::New(place) => place,
        StartedTurn::Known(place, message) => return known(chat, &place, message, deadline).await,
    };
    match chat.worker.make_reply(&place, TimeLimits { stop_at: deadline, delivery: FAREWELL }).await? {
        Some(made) => {
            chat.title(&place, &made).await;
            answer(&place, &made)
        }
        // Somebody stopped it before it began, or the conversation is gone.
        None => wait(chat, &place, deadline).await,
    }
}

/// Leaves the reply to `replies`, and says where to look.
async fn accept(chat: &Chat, started: &StartedTurn) -> Result<Answer> {
    let (StartedTurn::New(place) | StartedTurn::Known(place, _)) = started;
    let waits = match started {
        StartedTurn::New(_) => true,
        StartedTurn::Known(_, message) => message.status == Some(ReplyStatus::Pending),
    };
    if waits {
        chat.hand_over(place).await?;
    }
    let status = match started {
        StartedTurn::New(_) => ReplyStatus::Pending,
        StartedTurn::Known(_, message) => message.status.unwrap_or(ReplyStatus::Complete),
    };
    let (conversation_id, message_id) = (place.conversation(), &place.message);
    let answer = Answer::ok(&AcceptedAnswer { conversation_id, message_id, status: status.as_str() })?;
    let path = conversation_id
        .map(|id| format!("/api/conversations/{}", shared::http::percent_encoded(id.as_str())));
    Ok(answer.accepted(&path.unwrap_or_default()))
}

/// A turn that was stored before: its reply, when it has ended, or as soon as it does.
async fn known(chat: &Chat, place: &ReplyPlace, message: Message, deadline: Instant) -> Result<Answer> {
    match message.status {
        // It may have been left to nobody.
        Some(ReplyStatus::Pending) => {
            chat.hand_over(place).await?;
            wait(chat, place, deadline).await
        }
        _ => ended(place, &message),
    }
}

/// Waits for somebody else to end a reply; after that time, what there is of it.
async fn wait(chat: &Chat, place: &ReplyPlace, deadline: Instant) -> Result<Answer> {
    let (store, conversation) = (&chat.app.store, place.conversation());
    while Instant::now() < deadline {
        match store.find_reply(place.user, conversation, &place.message, clock::now()).await? {
            Some(FoundReply::Ended(place, message, _)) => return ended(&place, &message),
            Some(_) => sleep(PAUSE).await,
            None => return Err(Error::no_conversation()),
        }
    }
    let so_far = store.find_reply_so_far(place).await?.ok_or_else(Error::no_conversation)?;
    if so_far.content.as_str().is_empty() {
        return Err(Error::new(Code::ModelTimeout, "Nothing of the reply has come yet."));
    }
    let (content, model) = (so_far.content.as_str().to_owned(), so_far.model);
    let status = ReplyStatus::Running;
    answer(
        place,
        &FinishedReply {
            content,
            tokens: so_far.tokens,
            model,
            left_out: 0,
            is_first: false,
            status,
            finish_reason: "deadline",
        },
    )
}

fn ended(place: &ReplyPlace, message: &Message) -> Result<Answer> {
    let status = message.status.unwrap_or(ReplyStatus::Complete);
    let finish_reason = match status {
        ReplyStatus::Stopped => "stopped",
        ReplyStatus::Interrupted => "interrupted",
        ReplyStatus::Failed => return Err(Error::new(Code::Unavailable, "The reply could not be made")),
        _ => "stop",
    };
    let model = message.model.clone().unwrap_or_else(ModelName::default_of_contract);
    let (content, tokens) = (message.content.as_str().to_owned(), message.tokens.map_or(0, TokenCount::get));
    answer(
        place,
        &FinishedReply { content, tokens, model, left_out: 0, is_first: false, status, finish_reason },
    )
}

fn answer(place: &ReplyPlace, made: &FinishedReply) -> Result<Answer> {
    Answer::ok(&ReplyAnswer {
        conversation_id: place.conversation(),
        message_id: Some(&place.message),
        content: &made.content,
        tokens: made.tokens,
        model: &made.model,
        finish_reason: made.finish_reason,
        left_out: (made.left_out > 0).then_some(made.left_out),
    })
}
