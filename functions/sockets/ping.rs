//! `{"type": "ping"}`: answers with `pong`.

use shared::Result;
use shared::sockets::ServerFrame;

use super::{Event, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event) -> Result<()> {
    sockets.connections.answer(event.connection(), &ServerFrame::Pong).await;
    Ok(())
}
