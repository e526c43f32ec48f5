//! `{"type": "auth", "token"}`: gives the connection to the token's user. A token that does not count closes it.

use shared::Result;
use shared::clock;
use shared::error::{Code, Error};
use shared::json;
use shared::sockets::ServerFrame;
use shared::sockets::frame::Auth;
use shared::store::Owner;

use super::{Event, Sockets};

pub(super) async fn handle(sockets: &Sockets, event: &Event) -> Result<()> {
    match authenticate(sockets, event).await {
        Ok(owner) => {
            let frame = ServerFrame::authenticated(owner.user, owner.credential);
            sockets.push.answer(event.connection(), &frame).await;
            sockets.push.close_oldest(owner.user, event.connection(), clock::now()).await
        }
        Err(error) if error.code() == Code::Unauthenticated => {
            let frame = ServerFrame::AuthFailed { message: error.detail().to_owned() };
            sockets.push.answer(event.connection(), &frame).await;
            sockets.push.close(event.connection()).await;
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn authenticate(sockets: &Sockets, event: &Event) -> Result<Owner> {
    let bad = || Error::new(Code::Unauthenticated, "Could not validate credentials");
    // A token of the wrong type is a bad token.
    let frame: Auth = json::parse(event.frame()).map_err(|_malformed| bad())?;
    let (caller, _) = sockets.base.gate.admit(&frame.token).await?;
    let owner = Owner::from(caller);
    sockets.base.store.authenticate_connection(event.connection(), owner).await?;
    Ok(owner)
}
