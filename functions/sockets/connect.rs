//! `$connect`: keeps the connection, with its owner when the address carries a good token.

use shared::auth::{TICKET_PREFIX, UserSecret};
use shared::chat::ReplyTask;
use shared::domain::{ClaimedUser, Owner};
use shared::error::{Code, Error};
use shared::store::Connection;
use shared::{Result, clock};

use super::{Event, Sockets};

/// The status decides whether the connection opens.
pub(super) async fn handle(sockets: &Sockets, event: &Event) -> u16 {
    match connect(sockets, event).await {
        Ok(()) => 200,
        Err(error) if error.code() == Code::Unauthenticated => 401,
        Err(error) if error.code() == Code::Forbidden => 403,
        Err(error) if error.code() == Code::RateLimited => 429,
        Err(error) => {
            tracing::error!(?error, "a connection could not be kept");
            500
        }
    }
}

async fn connect(sockets: &Sockets, event: &Event) -> Result<()> {
    check_origin(sockets, event)?;
    let mut connection = Connection {
        id: event.connection().clone(),
        connected_at: event.connected_at(),
        claimed_user: event.query("user_id").filter(|id| !id.is_empty()).map(ClaimedUser::from),
        open: false,
        owner: None,
    };
    let owner = owner(sockets, event).await;
    if !matches!(owner, Ok(Some(_))) {
        // Of nobody, so far: it counts against its network, as a request without a good token does.
        sockets.app.stranger(event.address()).await?;
    }
    connection.owner = owner?;
    if connection.owner.is_some_and(|owner| !connection.claims_allow(owner.user)) {
        return Err(forbidden());
    }
    sockets.app.store.create_connection(&connection).await?;
    if let Some(owner) = connection.owner {
        // Nothing can be pushed before the connection is open, which it is when this has answered.
        let greet = ReplyTask::Greet { connection: connection.id.clone() };
        if let Err(error) = sockets.invoker.invoke(&greet).await {
            // It does not open, so no disconnect will follow.
            sockets.app.store.delete_connection(&connection.id).await?;
            return Err(error);
        }
        close_oldest(sockets, owner).await;
    }
    Ok(())
}

/// The connection is kept and greeted, so it opens whatever comes of this; the next one closes what is too many still.
async fn close_oldest(sockets: &Sockets, owner: Owner) {
    if let Err(error) = sockets.connections.close_oldest(owner.user, clock::now()).await {
        tracing::warn!(?error, "a user may have too many windows");
    }
}

fn forbidden() -> Error {
    Error::new(Code::Forbidden, "This address is another user's")
}

/// Whose the connection is by its address: by a ticket or by a token; nobody's yet without either.
async fn owner(sockets: &Sockets, event: &Event) -> Result<Option<Owner>> {
    if let Some(ticket) = event.query("ticket") {
        let refused = || Error::new(Code::Unauthenticated, "The ticket is not valid");
        let ticket = UserSecret::parse(TICKET_PREFIX, ticket).ok_or_else(refused)?;
        let owner = sockets.app.store.redeem_ticket(ticket.user, &ticket.hash, clock::now()).await?;
        return owner.ok_or_else(refused).map(Some);
    }
    let Some(token) = event.query("token") else { return Ok(None) };
    let (caller, _) = sockets.app.authenticator.admit(token).await?;
    Ok(Some(caller.into()))
}

/// A browser says from which page a connection comes; pages of others may not use a user's token. The studio's own pages may
/// always connect. Other clients say nothing.
fn check_origin(sockets: &Sockets, event: &Event) -> Result<()> {
    let Some(origin) = event.header("origin") else { return Ok(()) };
    let allowed = sockets.allowed_origins.iter().any(|allowed| allowed == origin);
    if allowed { Ok(()) } else { Err(Error::new(Code::Forbidden, "This origin may not connect")) }
}
