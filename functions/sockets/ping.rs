//! `{"type": "ping"}`.

use shared::Result;
use shared::clock;
use shared::sockets::ServerFrame;

use super::sender::sender;
use super::{Event, Sockets};

/// API Gateway lets no connection live longer than two hours.
const MOST_LIFE_MILLIS: u64 = 2 * 3600 * 1000;

pub(super) async fn handle(sockets: &Sockets, event: &Event) -> Result<()> {
    // A connection keeps its owner, so once it is known, a ping costs no look.
    let ends = sockets.authenticated.recent(event.connection(), clock::now(), MOST_LIFE_MILLIS);
    if ends.is_none_or(|ends| ends <= clock::now().seconds()) {
        sender(sockets, event).await?;
    }
    sockets.push.answer(event.connection(), &ServerFrame::Pong).await;
    Ok(())
}
