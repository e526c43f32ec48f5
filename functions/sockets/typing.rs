//! `{"type": "typing", …}`: tells the user's other connections that the user is typing.

use shared::Result;
use shared::clock;
use shared::json;
use shared::sockets::ServerFrame;
use shared::sockets::frame::Typing;

use super::{Event, Sender, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event, sender: &Sender) -> Result<()> {
    let typing: Typing = json::parse(event.frame())?;
    let frame =
        ServerFrame::UserTyping { user_id: sender.owner.user, conversation_id: typing.conversation_id };
    sockets.connections.push_to_others(sender.owner.user, event.connection(), &frame, clock::now()).await
}
