//! Who sent a frame.

use std::sync::Arc;
use std::time::Duration;

use shared::Result;
use shared::clock;
use shared::domain::User;
use shared::error::{Code, Error};
use shared::store::Owner;
use tokio::time::{Instant, sleep};

use super::{Event, Sockets};

/// Frames can overtake each other: `auth` may still be on its way when the next one is handled.
const PATIENCE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(50);

/// The owner of the connection that sent `event`, waiting a moment for one that is about to authenticate.
///
/// # Errors
/// [`Code::Unauthenticated`].
pub(super) async fn sender(sockets: &Sockets, event: &Event) -> Result<Owner> {
    Ok(sender_and_user(sockets, event).await?.0)
}

/// The same, with the user.
pub(super) async fn sender_and_user(sockets: &Sockets, event: &Event) -> Result<(Owner, Arc<User>)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let connection = sockets.base.store.find_connection(event.connection()).await?;
        let (owner, now) = (connection.as_ref().and_then(|connection| connection.owner), clock::now());
        match owner {
            Some(owner) if owner.is_valid_at(now) => {
                let user = sockets.base.gate.check_credential(&owner).await?;
                sockets.authenticated.remember(event.connection().clone(), owner.token_ends, now);
                return Ok((owner, user));
            }
            Some(owner) => {
                if owner.is_overdue_at(now) {
                    sockets.push.close(event.connection()).await;
                }
                return Err(Error::new(Code::Unauthenticated, "The token has ended; please send auth again"));
            }
            None if Instant::now() >= deadline => {
                return Err(Error::new(Code::Unauthenticated, "Please authenticate first"));
            }
            None => sleep(PAUSE).await,
        }
    }
}
