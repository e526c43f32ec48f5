//! Who sent a frame.

use std::sync::Arc;
use std::time::Duration;

use shared::Result;
use shared::clock;
use shared::domain::{Millis, Network, Owner, Rate, Requester, User};
use shared::error::{Code, Error};
use shared::sockets::ServerFrame;
use shared::store::{Connection, UnauthenticatedConnection};
use tokio::time::sleep;

use super::{Event, Sockets};

/// Frames of a connection that are answered before it authenticates.
const MOST_FRAMES: u64 = 5;
const TOO_MANY: u64 = MOST_FRAMES + 1;
/// So long after the connect, no frame but `auth` is answered before that.
const AUTHENTICATES_WITHIN_SECONDS: u64 = 30;
/// Frames can overtake each other: how long one waits for an `auth` frame, from when the handling of that began, if it has.
const PATIENCE_MILLIS: u64 = 500;
const PAUSE: Duration = Duration::from_millis(50);

/// Who sent a frame, on a connection that has authenticated.
pub(super) struct Sender {
    pub(super) owner: Owner,
    pub(super) user: Arc<User>,
}

/// Finds who sent `event`. None when the connection is closed instead: it is forgotten, or has had its time to authenticate.
///
/// # Errors
/// [`Code::Unauthenticated`].
pub(super) async fn find(sockets: &Sockets, event: &Event) -> Result<Option<Sender>> {
    let (store, id) = (&sockets.app.store, event.connection());
    // Where nobody is counted as a stranger any more, it has authenticated meanwhile, or was closed.
    if sockets.knows(&sockets.strangers, event).is_some()
        && let Some(stranger) = store.count_unauthenticated_frame(id).await?
    {
        return find_unauthenticated(sockets, event, stranger).await;
    }
    for _ in 0..2 {
        match store.find_connection(id).await? {
            Some(Connection { owner: Some(owner), .. }) => {
                return authorized(sockets, event, owner).await.map(Some);
            }
            Some(_) => match store.count_unauthenticated_frame(id).await? {
                Some(stranger) => return find_unauthenticated(sockets, event, stranger).await,
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
        sockets.authenticated.remember(event.connection().clone(), owner.token_ends, now);
        return Ok(Sender { owner, user });
    }
    if owner.is_overdue_at(now) {
        sockets.close(event).await;
    }
    Err(Error::new(Code::Unauthenticated, "The token has ended; please send auth again"))
}

/// A frame of a connection that nobody owned a moment ago. Such a connection costs next to nothing: it has a few frames and
/// half a minute, and a frame waits only while an `auth` frame is being handled.
async fn find_unauthenticated(
    sockets: &Sockets,
    event: &Event,
    stranger: UnauthenticatedConnection,
) -> Result<Option<Sender>> {
    sockets.strangers.remember(event.connection().clone(), (), clock::now());
    match stranger.frames {
        ..=MOST_FRAMES => {}
        TOO_MANY => {
            sockets.close(event).await;
            return Ok(None);
        }
        // The first one too many has it forgotten.
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
    match owner_soon(sockets, event, stranger).await? {
        Some(owner) => authorized(sockets, event, owner).await.map(Some),
        None => Err(refused),
    }
}

/// Waits for the `auth` frame that `event` overtook to give the connection an owner, if there is such a frame. Whether there
/// is one is known once its handling has begun; one that has not can only be guessed at, which a network has few of in a
/// second, so that nobody can occupy many instances with waiting.
async fn owner_soon(
    sockets: &Sockets,
    event: &Event,
    stranger: UnauthenticatedConnection,
) -> Result<Option<Owner>> {
    let (store, now) = (&sockets.app.store, clock::now());
    let mut until = match stranger.auth_began {
        Some(began) => after(began, PATIENCE_MILLIS),
        None => {
            if !may_wait(sockets, event, now).await? {
                return Ok(None);
            }
            after(now, PATIENCE_MILLIS)
        }
    };
    while clock::now() < until {
        sleep(PAUSE).await;
        match store.find_unauthenticated(event.connection()).await? {
            Some(UnauthenticatedConnection { owner: None, auth_began: Some(began), .. }) => {
                until = after(began, PATIENCE_MILLIS);
            }
            Some(UnauthenticatedConnection { owner: None, .. }) => {}
            Some(UnauthenticatedConnection { owner, .. }) => return Ok(owner),
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// Whether a frame of this network may wait for an `auth` frame that nobody has seen.
async fn may_wait(sockets: &Sockets, event: &Event, now: Millis) -> Result<bool> {
    let (network, second) = (Network::of(event.address()), Rate::WAITS.window_at(now));
    if sockets.crowded.recent(&network, now, 1000) == Some(second) {
        return Ok(false);
    }
    let waits = Requester::Waits(network.clone());
    let is_few = sockets.app.store.count_requests(&waits, 1, Rate::WAITS, now).await? <= Rate::WAITS.most();
    if !is_few {
        sockets.crowded.remember(network, second, now);
    }
    Ok(is_few)
}

fn after(begin: Millis, milliseconds: u64) -> Millis {
    Millis::saturating(begin.get().saturating_add(milliseconds))
}
