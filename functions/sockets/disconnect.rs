//! `$disconnect`: forgets the connection, and tells the user's other windows.

use shared::Result;

use super::{Event, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event) -> Result<()> {
    sockets.push.drop_connection(event.connection()).await;
    Ok(())
}
