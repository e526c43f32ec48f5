//! `$disconnect`: deletes the connection, and tells the user's other connections.

use super::{Event, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event) {
    sockets.connections.drop_connection(event.connection()).await;
}
