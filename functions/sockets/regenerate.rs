//! `{"type": "regenerate", …}`: makes another reply to the same message, on a new branch.

use shared::Result;
use shared::chat::RegenerateRequest;
use shared::domain::{GenerationParams, ReplyPlace};
use shared::error::Error;
use shared::json;
use shared::sockets::frame::Regenerate;
use shared::store::StartedTurn;

use super::chat::answer;
use super::{Event, Sender, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event, sender: &Sender) -> Result<()> {
    let frame: Regenerate = json::parse(event.frame())?;
    let started = regenerate(sockets, sender, frame).await.map(StartedTurn::New);
    answer(sockets, event, None, started).await;
    Ok(())
}

async fn regenerate(sockets: &Sockets, sender: &Sender, frame: Regenerate) -> Result<ReplyPlace> {
    let Regenerate { conversation_id, message_id: message, model, temperature, max_tokens } = frame;
    let absent = || Error::invalid_field("conversationId", "must name the conversation of the reply");
    let conversation = conversation_id.ok_or_else(absent)?;
    let params = GenerationParams::parse(temperature, max_tokens)?;
    sockets.turns.regenerate(&sender.user, RegenerateRequest { conversation, message, model, params }).await
}
