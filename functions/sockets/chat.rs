//! `{"type": "chat", "content", …}`: stores the turn, acknowledges it, and hands the reply over.

use std::pin::pin;
use std::time::Duration;

use shared::Result;
use shared::clock;
use shared::domain::{MessageId, ReplyStatus, UserId};
use shared::error::Error;
use shared::json;
use shared::replies::{Task, check_max_tokens, check_temperature, title_of};
use shared::sockets::ServerFrame;
use shared::sockets::frame::{Chat, Reply};
use shared::store::{LooseTurn, ReplyPlace, StartedTurn, StoredTurn};
use tokio::time::timeout;

use super::sender::sender;
use super::{Event, Sockets};

const PATIENCE: Duration = Duration::from_millis(250);

pub(super) async fn handle(sockets: &Sockets, event: &Event) -> Result<()> {
    let owner = sender(sockets, event).await?;
    let chat: Chat = json::parse(event.frame())?;
    let id = chat.id.clone();
    let handled = match start(sockets, owner.user, chat).await {
        Ok(turn) => accept(sockets, event, id.clone(), turn).await,
        Err(error) => Err(error),
    };
    if let Err(error) = handled {
        if error.code().is_our_fault() {
            tracing::error!(?error, "a turn failed");
        }
        sockets.push.answer(&event.connection, &ServerFrame::turn_refused(id, &error)).await;
    }
    Ok(())
}

async fn start(sockets: &Sockets, user: UserId, chat: Chat) -> Result<StartedTurn> {
    let (temperature, max_tokens) =
        (check_temperature(chat.temperature)?, check_max_tokens(chat.max_tokens)?);
    if chat.id.as_ref().is_some_and(|id| id.number().is_some()) {
        return Err(Error::invalid_field("id", "must not have the form of the ids that the server makes"));
    }
    let model = chat.model.map(|model| sockets.offer.find(&model)).transpose()?.map(|entry| entry.id);
    let (store, now) = (&sockets.base.store, clock::now());
    let Some(conversation) = chat.conversation_id else {
        let model = model.unwrap_or_else(|| sockets.offer.default_model().clone());
        let turn = LooseTurn { content: chat.content.into(), model, temperature, max_tokens };
        // It belongs to no conversation, so its number means nothing.
        let id = MessageId::new(clock::new_ulid(), 0);
        return store.start_loose_turn(user, &turn, id, now).await.map(StartedTurn::New);
    };
    let turn = StoredTurn {
        conversation,
        client_id: chat.id,
        title: title_of(&chat.content),
        content: chat.content.into(),
        model,
        default_model: sockets.offer.default_model().clone(),
        temperature,
        max_tokens,
    };
    store.start_turn(user, &turn, [clock::new_ulid(), clock::new_ulid()], now).await
}

/// Acknowledges a turn that is stored, and sees to its reply: one that nobody has begun is handed over (again, if it was
/// before: it is made once), an ended one is sent again, and one that is being made is on its way.
async fn accept(sockets: &Sockets, event: &Event, id: Option<MessageId>, turn: StartedTurn) -> Result<()> {
    let (StartedTurn::New(place) | StartedTurn::Known(place, _)) = &turn;
    let accepted = ServerFrame::ChatAccepted { id, reply: reply(place) };
    let mut answered = pin!(sockets.push.answer(&event.connection, &accepted));
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
        StartedTurn::New(place) => hand_over(sockets, place).await,
        StartedTurn::Known(place, message) if message.status == Some(ReplyStatus::Pending) => {
            hand_over(sockets, place).await
        }
        StartedTurn::Known(place, message) => {
            if let Some(frame) = ServerFrame::ended(reply(&place), &message) {
                sockets.push.answer(&event.connection, &frame).await;
            }
            Ok(())
        }
    }
}

/// Hands a reply over. When nobody takes it, it ends at once rather than when its time to begin is over; should somebody
/// have taken it after all, all is well.
async fn hand_over(sockets: &Sockets, place: ReplyPlace) -> Result<()> {
    let handed_over = sockets.handover.hand_over(&Task::MakeReply { place: place.clone() }).await;
    if handed_over.is_err() && !sockets.base.store.fail_unstarted_reply(&place, clock::now()).await? {
        return Ok(());
    }
    handed_over
}

fn reply(place: &ReplyPlace) -> Reply {
    Reply { message_id: place.message.clone(), conversation_id: place.conversation().cloned() }
}
