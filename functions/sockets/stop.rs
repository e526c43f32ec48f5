//! `{"type": "stop", …}`: stops a reply. Its subscribers are told when it has stopped.

use shared::Result;
use shared::json;
use shared::sockets::frame::AboutReply;

use super::{Event, Sender, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event, sender: &Sender) -> Result<()> {
    let about: AboutReply = json::parse(event.frame())?;
    sockets.replies.stop(&sender.wanted(about)).await?;
    Ok(())
}
