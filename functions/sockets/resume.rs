//! `{"type": "resume", …}`: shows a reply to a window that was away.

use shared::Result;
use shared::chat::ReplyRef;
use shared::json;
use shared::sockets::frame::AboutReply;

use super::{Event, Sender, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event, sender: &Sender) -> Result<()> {
    let about: AboutReply = json::parse(event.frame())?;
    let wanted =
        ReplyRef { user: sender.owner.user, conversation: about.conversation_id, message: about.message_id };
    sockets.replies.resume(&wanted, event.connection()).await
}
