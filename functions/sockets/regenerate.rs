//! `{"type": "regenerate", …}`: another reply to the same words, on a branch of its own.

use shared::chat::RegenerateRequest;
use shared::domain::{GenerationParams, ReplyPlace};
use shared::error::Error;
use shared::sockets::ServerFrame;
use shared::sockets::frame::Regenerate;
use shared::store::StartedTurn;
use shared::{Result, json};

use super::chat::accept;
use super::{Event, Sender, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event, sender: &Sender) -> Result<()> {
    let frame: Regenerate = json::parse(event.frame())?;
    let handled = match regenerate(sockets, sender, frame).await {
        Ok(place) => accept(sockets, event, None, StartedTurn::New(place)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = handled {
        sockets.connections.answer(event.connection(), &ServerFrame::turn_refused(None, &error)).await;
    }
    Ok(())
}

async fn regenerate(sockets: &Sockets, sender: &Sender, frame: Regenerate) -> Result<ReplyPlace> {
    let Regenerate { conversation_id, message_id: message, model, temperature, max_tokens } = frame;
    let absent = || Error::invalid_field("conversationId", "must say where the reply stands");
    let conversation = conversation_id.ok_or_else(absent)?;
    let params = GenerationParams::parse(temperature, max_tokens)?;
    sockets.turns.regenerate(&sender.user, RegenerateRequest { conversation, message, model, params }).await
}
