//! `$disconnect`: forgets the connection, and tells the user's other windows.

use shared::Result;
use shared::clock;
use shared::sockets::ServerFrame;

use super::{Event, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event) -> Result<()> {
    let gone = sockets.base.store.delete_connection(&event.connection).await?;
    let Some(owner) = gone.and_then(|connection| connection.owner) else { return Ok(()) };
    let frame = ServerFrame::UserDisconnected { user_id: owner.user };
    sockets.push.to_others(owner.user, &event.connection, &frame, clock::now()).await
}
