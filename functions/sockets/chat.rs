//! `{"type": "chat", "content", …}`: stores the turn, acknowledges it, and hands the reply over.

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

const PATIENCE: Duration = Duration::from_millis(250);

pub(super) async fn handle(sockets: &Sockets, event: &Event, sender: &Sender) -> Result<()> {
    let chat: Chat = json::parse(event.frame())?;
    let id = chat.id.clone();
    let started = match turn_request(chat) {
        Ok(request) => sockets.turns.start(&sender.user, request).await,
        Err(error) => Err(error),
    };
    let handled = match started {
        Ok(turn) => accept(sockets, event, id.clone(), turn).await,
        Err(error) => Err(error),
    };
    if let Err(error) = handled {
        if error.code().is_our_fault() {
            tracing::error!(?error, "a turn failed");
        }
        sockets.connections.answer(event.connection(), &ServerFrame::turn_refused(id, &error)).await;
    }
    Ok(())
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

/// Acknowledges a turn that is stored, and sees to its reply: one that nobody has begun is handed over (again, if it was
/// before: it is made once), an ended one is sent again, and one that is being made is on its way.
pub(super) async fn accept(
    sockets: &Sockets,
    event: &Event,
    id: Option<MessageId>,
    turn: StartedTurn,
) -> Result<()> {
    let (StartedTurn::New(place) | StartedTurn::Known(place, _)) = &turn;
    let accepted = ServerFrame::ChatAccepted { id, reply: Reply::at(place) };
    let mut answered = pin!(sockets.connections.answer(event.connection(), &accepted));
    // Every window waits for the reply, so a window that does not take its answer holds it up for a moment only.
    let in_time = timeout(PATIENCE, &mut answered).await.is_ok();
    let done = see_to_reply(sockets, event, turn).await;
    if !in_time {
        answered.await;
    }
    done
}

async fn see_to_reply(sockets: &Sockets, event: &Event, turn: StartedTurn) -> Result<()> {
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

/// Hands a reply over. When nobody takes it, it ends at once rather than when its time to begin is over; should somebody
/// have taken it after all, all is well.
async fn hand_over(sockets: &Sockets, event: &Event, place: &ReplyPlace) -> Result<()> {
    let task = ReplyTask::MakeReply { place: place.clone() };
    let Err(error) = sockets.invoker.invoke(&task).await else { return Ok(()) };
    let (store, failed) = (&sockets.app.store, ReplyStatus::Failed);
    if store.end_unstarted_reply(place, failed, clock::now()).await? {
        tracing::error!(?error, "a reply was not handed over");
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
