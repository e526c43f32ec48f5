//! `$disconnect`: forgets the connection, and tells the user's other windows.

use super::{Event, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event) {
    sockets.connections.drop_connection(event.connection()).await;
}
