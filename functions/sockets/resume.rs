//! `{"type": "resume", …}`: sends a reply to a connection that missed some of it.

use shared::Result;
use shared::json;
use shared::sockets::frame::AboutReply;

use super::{Event, Sender, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event, sender: &Sender) -> Result<()> {
    let about: AboutReply = json::parse(event.frame())?;
    sockets.replies.resume(&sender.wanted(about), event.connection()).await
}
