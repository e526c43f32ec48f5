//! The frame that tells a client that connected with a token that it is authenticated.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::clock;
use crate::domain::ConnectionId;
use crate::error::Result;
use crate::sockets::{Closing, Push, ServerFrame};
use crate::store::Store;

/// A connection opens when its connect route has answered; nothing can be pushed before.
const OPENS_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Pushes `auth_success` to a connection that was authenticated while it was opened. One that was closed before it opened is
/// closed now.
///
/// # Errors
/// When DynamoDB or API Gateway is out of reach.
pub async fn greet(store: &Store, push: &Push, connection: &ConnectionId) -> Result<()> {
    let deadline = Instant::now() + OPENS_WITHIN;
    let Some(found) = store.find_connection(connection).await? else {
        close_when_open(push, connection, deadline).await;
        return Ok(());
    };
    let Some(owner) = found.owner_at(clock::now()) else { return Ok(()) };
    let frame = ServerFrame::authenticated(owner.user, owner.credential);
    let mut opened = push.to(connection, &frame).await?;
    while !opened && Instant::now() < deadline {
        sleep(PAUSE).await;
        opened = push.to(connection, &frame).await?;
    }
    if !opened || !store.mark_open(connection).await? {
        push.close(connection).await;
    }
    Ok(())
}

/// Closes a connection that is forgotten as soon as it is open. One whose client has left meanwhile never is.
async fn close_when_open(push: &Push, connection: &ConnectionId, deadline: Instant) {
    let mut pause = PAUSE;
    while push.close(connection).await != Closing::Closed && Instant::now() < deadline {
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}
