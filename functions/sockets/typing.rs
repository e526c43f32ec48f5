//! `{"type": "typing", …}`: shown in the user's other windows.

use shared::Result;
use shared::clock;
use shared::json;
use shared::sockets::ServerFrame;
use shared::sockets::frame::Typing;

use super::sender::sender;
use super::{Event, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event) -> Result<()> {
    let owner = sender(sockets, event).await?;
    let typing: Typing = json::parse(event.frame())?;
    let frame = ServerFrame::UserTyping { user_id: owner.user, conversation_id: typing.conversation_id };
    sockets.push.to_others(owner.user, event.connection(), &frame, clock::now()).await
}
