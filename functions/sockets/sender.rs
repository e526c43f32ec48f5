//! Finds the user who sent a frame.

use std::sync::Arc;
use std::time::Duration;

use shared::Result;
use shared::chat::ReplyRef;
use shared::clock;
use shared::domain::{Millis, Network, Owner, Rate, Requester, User};
use shared::error::{Code, Error};
use shared::sockets::ServerFrame;
use shared::sockets::frame::AboutReply;
use shared::store::{Connection, UnauthenticatedConnection};
use tokio::time::sleep;

use super::{Event, Sockets};

/// How many frames of a connection are answered before it authenticates.
const MOST_FRAMES: u64 = 5;
const TOO_MANY: u64 = MOST_FRAMES + 1;
/// A connection that has not authenticated by then is closed with its next frame.
const AUTHENTICATES_WITHIN_SECONDS: u64 = 30;
/// A frame that overtook the `auth` frame waits this long after the handling of `auth` began.
const AUTH_TIMEOUT_MILLIS: u64 = 500;
/// How often a waiting frame reads the connection again.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The owner of the authenticated connection that sent a frame.
pub(super) struct Sender {
    pub(super) owner: Owner,
    pub(super) user: Arc<User>,
}

impl Sender {
    /// The reply of the sender that a frame is about.
    pub(super) fn wanted(&self, about: AboutReply) -> ReplyRef {
        ReplyRef { user: self.owner.user, conversation: about.conversation_id, message: about.message_id }
    }
}

/// Finds the sender of `event`. `None` if the connection was closed, because it is not stored any more or did not
/// authenticate in time.
///
/// # Errors
/// [`Code::Unauthenticated`].
pub(super) async fn find(sockets: &Sockets, event: &Event) -> Result<Option<Sender>> {
    let (store, id) = (&sockets.app.store, event.connection());
    // A connection whose frame cannot be counted as unauthenticated has authenticated meanwhile, or was closed.
    if sockets.cached(&sockets.unauthenticated, event).is_some()
        && let Some(unauthenticated) = store.count_unauthenticated_frame(id).await?
    {
        return find_unauthenticated_connection(sockets, event, unauthenticated).await;
    }
    for _ in 0..2 {
        match store.find_connection(id).await? {
            Some(Connection { owner: Some(owner), .. }) => {
                return authorized(sockets, event, owner).await.map(Some);
            }
            Some(_) => match store.count_unauthenticated_frame(id).await? {
                Some(unauthenticated) => {
                    return find_unauthenticated_connection(sockets, event, unauthenticated).await;
                }
                None => continue,
            },
            None => break,
        }
    }
    sockets.hang_up(event).await;
    Ok(None)
}

async fn authorized(sockets: &Sockets, event: &Event, owner: Owner) -> Result<Sender> {
    let now = clock::now();
    if owner.is_valid_at(now) {
        let user = sockets.app.authenticator.check_credential(&owner).await?;
        sockets.authenticated.insert(event.connection().clone(), owner.token_ends, now);
        return Ok(Sender { owner, user });
    }
    if owner.is_overdue_at(now) {
        sockets.close(event).await;
    }
    Err(Error::new(Code::Unauthenticated, "The access token has expired. Send `auth` with a new one."))
}

/// Finds the sender of a frame of a connection that had no owner a moment ago. To keep such connections cheap, they
/// may send only a few frames for half a minute, and a frame waits only while an `auth` frame is being handled.
async fn find_unauthenticated_connection(
    sockets: &Sockets,
    event: &Event,
    unauthenticated: UnauthenticatedConnection,
) -> Result<Option<Sender>> {
    sockets.unauthenticated.insert(event.connection().clone(), (), clock::now());
    match unauthenticated.frames {
        ..=MOST_FRAMES => {}
        TOO_MANY => {
            sockets.close(event).await;
            return Ok(None);
        }
        // The first frame beyond the limit has deleted the connection.
        _ => {
            sockets.hang_up(event).await;
            return Ok(None);
        }
    }
    let refused = Error::new(Code::Unauthenticated, "Please authenticate first");
    if event.connected_at().plus_seconds(AUTHENTICATES_WITHIN_SECONDS) <= clock::now() {
        sockets.connections.answer(event.connection(), &ServerFrame::refusal(&refused)).await;
        sockets.close(event).await;
        return Ok(None);
    }
    match wait_for_owner(sockets, event, unauthenticated).await? {
        Some(owner) => authorized(sockets, event, owner).await.map(Some),
        None => Err(refused),
    }
}

/// Waits until the `auth` frame that `event` may have overtaken gives the connection an owner. Once the handling of the
/// `auth` frame has begun, `auth_began` is set. Before that, only a few frames of a network in a second may wait, so
/// that one network cannot occupy many instances with waiting frames.
async fn wait_for_owner(
    sockets: &Sockets,
    event: &Event,
    unauthenticated: UnauthenticatedConnection,
) -> Result<Option<Owner>> {
    let (store, now) = (&sockets.app.store, clock::now());
    let mut until = match unauthenticated.auth_began {
        Some(began) => after(began, AUTH_TIMEOUT_MILLIS),
        None => {
            if !may_wait(sockets, event, now).await? {
                return Ok(None);
            }
            after(now, AUTH_TIMEOUT_MILLIS)
        }
    };
    while clock::now() < until {
        sleep(POLL_INTERVAL).await;
        match store.find_unauthenticated_connection(event.connection()).await? {
            Some(UnauthenticatedConnection { owner: None, auth_began: Some(began), .. }) => {
                until = after(began, AUTH_TIMEOUT_MILLIS);
            }
            Some(UnauthenticatedConnection { owner: None, .. }) => {}
            Some(UnauthenticatedConnection { owner, .. }) => return Ok(owner),
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// Whether a frame of this network may wait for an `auth` frame whose handling has not begun.
async fn may_wait(sockets: &Sockets, event: &Event, now: Millis) -> Result<bool> {
    let (network, second) = (Network::of(event.address()), Rate::WAITS.window_at(now));
    if sockets.waits_exhausted.get(&network, now, 1000) == Some(second) {
        return Ok(false);
    }
    let waits = Requester::Waits(network.clone());
    let is_few = sockets.app.store.count_requests(&waits, 1, Rate::WAITS, now).await? <= Rate::WAITS.most();
    if !is_few {
        sockets.waits_exhausted.insert(network, second, now);
    }
    Ok(is_few)
}

fn after(begin: Millis, milliseconds: u64) -> Millis {
    Millis::saturating(begin.get().saturating_add(milliseconds))
}
