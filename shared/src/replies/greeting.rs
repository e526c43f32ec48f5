//! The frame that tells a client that connected with a token that it is authenticated.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::clock;
use crate::domain::ConnectionId;
use crate::error::Result;
use crate::sockets::{Push, ServerFrame};
use crate::store::Store;

/// A connection opens when its connect route has answered; nothing can be pushed before.
const OPENS_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Pushes `auth_success` to a connection that was authenticated while it was opened.
///
/// # Errors
/// When DynamoDB or API Gateway is out of reach.
pub async fn greet(store: &Store, push: &Push, connection: &ConnectionId) -> Result<()> {
    let found = store.find_connection(connection).await?;
    // It can be gone already.
    let Some(owner) = found.and_then(|connection| connection.owner_at(clock::now())) else { return Ok(()) };
    let frame = ServerFrame::authenticated(owner.user, owner.credential);
    let deadline = Instant::now() + OPENS_WITHIN;
    while !push.to(connection, &frame).await? {
        if Instant::now() >= deadline {
            push.drop_connection(connection).await;
            return Ok(());
        }
        sleep(PAUSE).await;
    }
    store.mark_open(connection).await
}
