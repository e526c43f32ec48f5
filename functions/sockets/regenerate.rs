//! `{"type": "regenerate", …}`: another reply to the same words, on a branch of its own.

use shared::Result;
use shared::error::Error;
use shared::json;
use shared::sockets::ServerFrame;
use shared::sockets::frame::AboutReply;
use shared::store::StartedTurn;

use super::chat::accept;
use super::{Event, Sender, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event, sender: &Sender) -> Result<()> {
    let about: AboutReply = json::parse(event.frame())?;
    let started = match about.conversation_id {
        Some(conversation) => sockets.turns.regenerate(&sender.user, conversation, about.message_id).await,
        None => Err(Error::invalid_field("conversationId", "must say where the reply stands")),
    };
    let handled = match started {
        Ok(place) => accept(sockets, event, None, StartedTurn::New(place)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = handled {
        sockets.refuse(event, &ServerFrame::turn_refused(None, &error)).await;
    }
    Ok(())
}
