//! `POST /api/auth/ws-ticket`: issues a ticket for the URL of a WebSocket, where an access token would end up in logs.

use serde::Serialize;
use shared::Result;
use shared::auth::{TICKET_PREFIX, UserSecret};
use shared::clock;
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use crate::auth::Auth;

/// How long a ticket is valid: long enough to open a connection.
const VALID_SECONDS: u64 = 30;

#[derive(Serialize, ToSchema)]
struct Ticket {
    #[schema(example = "wt_…")]
    ticket: String,
    /// The number of seconds that the ticket is valid for.
    #[schema(example = 30)]
    expires_in: u64,
}

/// Get a ticket for a WebSocket
///
/// The ticket opens one WebSocket within 30 s, as `?ticket=…` in the URL. An access token in the URL would end up in
/// logs.
#[utoipa::path(
    post,
    path = "/api/auth/ws-ticket",
    operation_id = "make_ticket",
    tag = "accounts",
    responses((status = 200, description = "The ticket.", body = Ticket)),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let caller = auth.app.caller(request).await?;
    let (secret, ticket) = UserSecret::new(TICKET_PREFIX, caller.user)?;
    let ends = clock::now().plus_seconds(VALID_SECONDS);
    auth.app.store.create_ticket(&secret.hash, caller.into(), ends).await?;
    Answer::ok(&Ticket { ticket, expires_in: VALID_SECONDS })
}
