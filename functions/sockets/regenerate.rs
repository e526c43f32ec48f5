//! `{"type": "regenerate", …}`: makes another reply to the same message, on a new branch.

use shared::chat::RegenerateRequest;
use shared::domain::{GenerationParams, ReplyPlace};
use shared::error::Error;
use shared::json;
use shared::sockets::frame::Regenerate;
use shared::store::StartedTurn;
use shared::{Result, json};

use super::chat::answer;
use super::{Event, Sender, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event, sender: &Sender) -> Result<()> {
    let frame: Regenerate = json::parse(event.frame())?;
    let Regenerate { conversation_id, message_id: message, model, temperature, max_tokens } = frame;
    let started = match conversation_id {
        Some(conversation) => {
            let again = Again { conversation, message, model, temperature, max_tokens };
            sockets.turns.regenerate(&sender.user, again).await.map(StartedTurn::New)
        }
        None => Err(Error::invalid_field("conversationId", "must name the conversation of the reply")),
    };
    answer(sockets, event, None, started).await;
    Ok(())
}

async fn regenerate(sockets: &Sockets, sender: &Sender, frame: Regenerate) -> Result<ReplyPlace> {
    let Regenerate { conversation_id, message_id: message, model, temperature, max_tokens } = frame;
    let absent = || Error::invalid_field("conversationId", "must say where the reply stands");
    let conversation = conversation_id.ok_or_else(absent)?;
    let params = GenerationParams::parse(temperature, max_tokens)?;
    sockets.turns.regenerate(&sender.user, RegenerateRequest { conversation, message, model, params }).await
}
