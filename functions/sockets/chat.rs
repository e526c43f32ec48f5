//! `{"type": "chat", "content", …}`: stores the turn, acknowledges it, and invokes `replies` to make the reply.

use std::pin::pin;
use std::time::Duration;

use shared::chat::{ReplyTask, TurnRequest};
use shared::domain::{Follows, GenerationParams, MessageId, ReplyPlace, ReplyStatus};
use shared::sockets::ServerFrame;
use shared::sockets::frame::{Chat, FramePart, Reply};
use shared::store::StartedTurn;
use shared::{Result, clock, json};
use tokio::time::timeout;

use super::{Event, Sender, Sockets};

/// Time to push `chat_accepted` before `replies` is invoked anyway.
const ACCEPTED_TIMEOUT: Duration = Duration::from_millis(250);

pub(super) async fn handle(sockets: &Sockets, event: &Event, sender: &Sender) -> Result<()> {
    let chat: Chat = json::parse(event.frame())?;
    let id = chat.id.clone();
    let started = match turn_request(chat) {
        Ok(request) => sockets.turns.start(&sender.user, request).await,
        Err(error) => Err(error),
    };
    answer(sockets, event, id, started).await;
    Ok(())
}

/// Accepts a turn that was started, or tells the client why it was refused.
pub(super) async fn answer(
    sockets: &Sockets,
    event: &Event,
    id: Option<MessageId>,
    started: Result<StartedTurn>,
) {
    let accepted = match started {
        Ok(turn) => accept(sockets, event, id.clone(), turn).await,
        Err(error) => Err(error),
    };
    let Err(error) = accepted else { return };
    if error.code().is_our_fault() {
        tracing::error!(kind = event.route_key(), ?error, "cannot handle a frame");
    }
    sockets.refuse(event, &ServerFrame::turn_refused(id, &error)).await;
}

fn turn_request(chat: Chat) -> Result<TurnRequest> {
    Ok(TurnRequest {
        content: chat.content,
        id: chat.id,
        conversation: chat.conversation_id,
        follows: chat.parent_id.map_or(Follows::Leaf, Follows::Message),
        model: chat.model,
        params: GenerationParams::parse(chat.temperature, chat.max_tokens)?,
    })
}

/// Acknowledges a stored turn, and continues with its reply.
async fn accept(sockets: &Sockets, event: &Event, id: Option<MessageId>, turn: StartedTurn) -> Result<()> {
    let (StartedTurn::New(place) | StartedTurn::Known(place, _)) = &turn;
    let accepted = ServerFrame::ChatAccepted { id, reply: Reply::at(place) };
    let mut pushed = pin!(sockets.connections.answer(event.connection(), &accepted));
    // Other connections wait for the reply, so a slow connection delays it only for a moment.
    let in_time = timeout(ACCEPTED_TIMEOUT, &mut pushed).await.is_ok();
    let continued = continue_reply(sockets, event, turn).await;
    if !in_time {
        pushed.await;
    }
    continued
}

/// Invokes `replies` for a reply that has not begun, and sends a reply that has ended. A reply that is being made needs
/// nothing. A second invocation for the same reply does nothing.
async fn continue_reply(sockets: &Sockets, event: &Event, turn: StartedTurn) -> Result<()> {
    match turn {
        StartedTurn::New(place) => hand_over(sockets, event, &place).await,
        StartedTurn::Known(place, message) if message.status == Some(ReplyStatus::Pending) => {
            hand_over(sockets, event, &place).await
        }
        StartedTurn::Known(place, message) => {
            sockets.replies.push_ended(event.connection(), &place, &message, None).await;
            Ok(())
        }
    }
}

/// Invokes `replies` to make a reply. If the invocation fails, the reply ends as failed at once, unless a worker has
/// begun it after all.
async fn hand_over(sockets: &Sockets, event: &Event, place: &ReplyPlace) -> Result<()> {
    let task = ReplyTask::MakeReply { place: place.clone() };
    let Err(error) = sockets.invoker.invoke(&task).await else { return Ok(()) };
    let (store, failed) = (&sockets.app.store, ReplyStatus::Failed);
    if store.end_unstarted_reply(place, failed, clock::now()).await? {
        tracing::error!(?error, "could not invoke `replies` to make a reply");
        let frame = ServerFrame::broke_off(
            Reply::at(place),
            None,
            String::new(),
            FramePart::default(),
            failed,
            &error,
        );
        sockets.connections.answer(event.connection(), &frame).await;
    }
    Ok(())
}
