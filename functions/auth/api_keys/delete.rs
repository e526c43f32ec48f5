//! `DELETE /api/auth/keys/{id}`: deletes an API key of the caller, and closes its connections.

use shared::Result;
use shared::domain::{Credential, KeyId};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use crate::auth::Auth;
use crate::done::Done;

/// Delete an API key
///
/// The key stops working at once, and its connections are closed.
#[utoipa::path(
    delete,
    path = "/api/auth/keys/{id}",
    operation_id = "delete_key",
    tag = "accounts",
    params(("id" = KeyId, Path, description = "The id of the key.")),
    responses((status = 200, description = "The key is deleted.", body = Done)),
    security(("session" = [])),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let key: KeyId = request.path("id", || Error::new(Code::NotFound, "Key not found"))?;
    auth.app.store.delete_key(&logged_in, key).await?;
    auth.connections
        .close_where(logged_in.user().id, |credential| credential == Credential::Key(key))
        .await?;
    Done::answer("Key deleted")
}
