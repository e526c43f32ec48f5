//! `{"type": "auth", "token"}`: authenticates the connection. A token that is not valid closes it.

use shared::Result;
use shared::clock;
use shared::error::{Code, Error};
use shared::json;
use shared::sockets::ServerFrame;
use shared::sockets::frame::Auth;

use super::{Event, Sockets};
use shared::domain::Owner;

pub(super) async fn handle(sockets: &Sockets, event: &Event) -> Result<()> {
    match Box::pin(authenticate(sockets, event)).await {
        Ok(owner) => {
            let frame = ServerFrame::authenticated(owner.user, owner.credential);
            sockets.connections.answer(event.connection(), &frame).await;
            sockets.connections.close_oldest(owner.user, clock::now()).await
        }
        Err(error) if error.code() == Code::Unauthenticated => {
            let frame = ServerFrame::AuthFailed { message: error.detail().to_owned() };
            sockets.connections.answer(event.connection(), &frame).await;
            sockets.close(event).await;
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn authenticate(sockets: &Sockets, event: &Event) -> Result<Owner> {
    let bad = || Error::new(Code::Unauthenticated, "Could not validate credentials");
    // A frame without a text as its token is answered like a bad token.
    let frame: Auth = json::parse(event.frame()).map_err(|_malformed| bad())?;
    let (store, authenticator, id) = (&sockets.app.store, &sockets.app.authenticator, event.connection());
    // Tells frames that overtook this one to wait for it.
    let noted = store.record_auth_frame(id, clock::now());
    let (noted, admitted) = tokio::join!(noted, authenticator.admit(&frame.token));
    if let Err(error) = noted {
        tracing::warn!(?error, "could not note that an auth frame is being handled");
    }
    let owner = Owner::from(admitted?.0);
    store.authenticate_connection(id, owner).await?;
    Ok(owner)
}
