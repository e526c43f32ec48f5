//! `POST /api/chat` with a `conversationId`: stores a turn, and makes its reply within the request or, if the client
//! prefers, afterwards.

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
use shared::http::{Answer, Request, percent_encoded};
use shared::store::{FoundReply, StartedTurn};
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use super::Chat;
use super::reply::ReplyAnswer;

/// How long the request waits for connections to take the last frames.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the store is asked whether another worker has ended the reply.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A stored turn whose reply is made afterwards.
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
    match chat.worker.make_reply(&place, TimeLimits { stop_at: deadline, delivery: DELIVERY_TIMEOUT }).await?
    {
        Some(made) => {
            chat.title(&place, &made).await;
            answer(&place, &made)
        }
        // The reply was stopped before it began, or the conversation was deleted.
        None => wait(chat, &place, deadline).await,
    }
}

/// Leaves the reply to `replies`, and answers with the path of the conversation.
async fn accept(chat: &Chat, started: &StartedTurn) -> Result<Answer> {
    let (StartedTurn::New(place) | StartedTurn::Known(place, _)) = started;
    let is_unstarted = match started {
        StartedTurn::New(_) => true,
        StartedTurn::Known(_, message) => message.status == Some(ReplyStatus::Pending),
    };
    if is_unstarted {
        chat.hand_over(place).await?;
    }
    let status = match started {
        StartedTurn::New(_) => ReplyStatus::Pending,
        StartedTurn::Known(_, message) => message.status.unwrap_or(ReplyStatus::Complete),
    };
    let (conversation_id, message_id) = (place.conversation(), &place.message);
    let answer = Answer::ok(&AcceptedAnswer { conversation_id, message_id, status: status.as_str() })?;
    let path = conversation_id.map(|id| format!("/api/conversations/{}", percent_encoded(id.as_str())));
    Ok(answer.accepted(&path.unwrap_or_default()))
}

/// Answers a turn that was stored before with its reply, which may still have to be made.
async fn known(chat: &Chat, place: &ReplyPlace, message: Message, deadline: Instant) -> Result<Answer> {
    match message.status {
        // The invocation of `replies` may have failed. If it did not, the second one does nothing.
        Some(ReplyStatus::Pending) => {
            chat.hand_over(place).await?;
            wait(chat, place, deadline).await
        }
        _ => ended(place, &message),
    }
}

/// Waits until another worker has ended the reply. At the deadline, answers with the text so far.
async fn wait(chat: &Chat, place: &ReplyPlace, deadline: Instant) -> Result<Answer> {
    let (store, conversation) = (&chat.app.store, place.conversation());
    while Instant::now() < deadline {
        match store.find_reply(place.user, conversation, &place.message, clock::now()).await? {
            Some(FoundReply::Ended(place, message, _)) => return ended(&place, &message),
            Some(_) => sleep(POLL_INTERVAL).await,
            None => return Err(Error::no_conversation()),
        }
    }
    let so_far = store.find_reply_snapshot(place).await?.ok_or_else(Error::no_conversation)?;
    if so_far.content.as_str().is_empty() {
        return Err(Error::new(Code::ModelTimeout, "The reply has no text yet."));
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
    let model = message.model.clone().unwrap_or_else(ModelName::default_for_old_clients);
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
