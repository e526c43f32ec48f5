//! `$connect`: stores the connection, with its owner if the URL has a valid token or ticket.

use shared::auth::{TICKET_PREFIX, UserSecret};
use shared::chat::ReplyTask;
use shared::domain::{ClaimedUser, Owner};
use shared::error::{Code, Error};
use shared::store::Connection;
use shared::{Result, clock};

use super::{Event, Sockets};

/// The status of the answer. API Gateway opens the connection only after 200.
pub(super) async fn handle(sockets: &Sockets, event: &Event) -> u16 {
    match connect(sockets, event).await {
        Ok(()) => 200,
        Err(error) if error.code() == Code::Unauthenticated => 401,
        Err(error) if error.code() == Code::Forbidden => 403,
        Err(error) if error.code() == Code::RateLimited => 429,
        Err(error) => {
            tracing::error!(?error, "could not store a connection");
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
    let owner = authenticate(sockets, event).await;
    if !matches!(owner, Ok(Some(_))) {
        sockets.app.count_anonymous_connect(event.address()).await?;
    }
    connection.owner = owner?;
    if connection.owner.is_some_and(|owner| !connection.claims_allow(owner.user)) {
        return Err(forbidden());
    }
    sockets.app.store.create_connection(&connection).await?;
    if let Some(owner) = connection.owner {
        // API Gateway opens the connection after this answer, so another function must greet it.
        let greet = ReplyTask::Greet { connection: connection.id.clone() };
        if let Err(error) = sockets.invoker.invoke(&greet).await {
            // The connection does not open, so no `$disconnect` will delete it.
            sockets.app.store.delete_connection(&connection.id).await?;
            return Err(error);
        }
        close_oldest(sockets, owner).await;
    }
    Ok(())
}

/// Closes the oldest connections of a user who has too many. A failure is only logged: the next connect closes them.
async fn close_oldest(sockets: &Sockets, owner: Owner) {
    if let Err(error) = sockets.connections.close_oldest(owner.user, clock::now()).await {
        tracing::warn!(?error, "could not close the oldest connections of a user");
    }
}

fn forbidden() -> Error {
    Error::new(Code::Forbidden, "The token belongs to another user than `user_id` names")
}

/// The owner that the ticket or the token in the URL names; `None` without either.
async fn authenticate(sockets: &Sockets, event: &Event) -> Result<Option<Owner>> {
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

/// Refuses a browser whose page comes from an origin that is not allowed, so that other sites cannot use a user's
/// token. Clients that are not browsers send no origin.
fn check_origin(sockets: &Sockets, event: &Event) -> Result<()> {
    let Some(origin) = event.header("origin") else { return Ok(()) };
    let allowed = sockets.allowed_origins.iter().any(|allowed| allowed == origin);
    if allowed { Ok(()) } else { Err(Error::new(Code::Forbidden, "This origin is not allowed to connect")) }
}
