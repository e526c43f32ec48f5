//! Greets a connection that authenticated through its URL: tells it that it is authenticated.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Connections;
use crate::clock;
use crate::domain::ConnectionId;
use crate::error::Result;
use crate::sockets::{Closing, ServerFrame};
use crate::store::Store;

/// A connection opens once its connect route has answered; nothing can be pushed before.
const OPENS_WITHIN: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const MAX_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Pushes `auth_success` to a connection that authenticated while it was opened, as soon as it is open. If the record
/// of the connection is deleted by then, closes the connection.
///
/// # Errors
/// When DynamoDB or API Gateway cannot be reached.
pub async fn greet(store: &Store, connections: &Connections, connection: &ConnectionId) -> Result<()> {
    let deadline = Instant::now() + OPENS_WITHIN;
    let Some(found) = store.find_connection(connection).await? else {
        close_when_open(connections, connection, deadline).await;
        return Ok(());
    };
    let Some(owner) = found.owner_at(clock::now()) else { return Ok(()) };
    let frame = ServerFrame::authenticated(owner.user, owner.credential);
    let mut opened = connections.push(connection, &frame).await?;
    while !opened && Instant::now() < deadline {
        sleep(POLL_INTERVAL).await;
        opened = connections.push(connection, &frame).await?;
    }
    if !opened || !store.mark_connection_open(connection).await? {
        connections.close(connection).await;
    }
    Ok(())
}

/// Closes a connection without a record as soon as it is open. A connection whose client has left never opens.
async fn close_when_open(connections: &Connections, connection: &ConnectionId, deadline: Instant) {
    let mut pause = POLL_INTERVAL;
    while connections.close(connection).await != Closing::Closed && Instant::now() < deadline {
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(MAX_POLL_INTERVAL);
    }
}
