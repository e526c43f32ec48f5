//! `DELETE /api/auth/keys/{id}`: ends an API key of the caller's, and closes its windows.

use shared::Result;
use shared::domain::{Credential, KeyId};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};

use crate::auth::{Auth, Done};

/// Delete an API key
///
/// It ends at once, and its windows are closed.
#[utoipa::path(
    delete,
    path = "/api/auth/keys/{id}",
    operation_id = "delete_key",
    tag = "accounts",
    params(("id" = KeyId, Path, description = "The key's id.")),
    responses((status = 200, description = "The key has ended.", body = Done)),
    security(("session" = [])),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let key: KeyId = request.path("id", || Error::new(Code::NotFound, "Key not found"))?;
    auth.app.store.delete_key(&logged_in, key).await?;
    auth.push.close_where(logged_in.user().id, |credential| credential == Credential::Key(key)).await?;
    Answer::ok(&Done { message: "Key deleted" })
}
