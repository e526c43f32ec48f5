//! `POST /api/auth/password/forgot`: sends a token for a new password to an address, if it is somebody's. The answer
//! and the work are the same either way.

use serde::Deserialize;
use shared::Result;
use shared::accounts::AccountTask;
use shared::domain::Email;
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use crate::auth::{Auth, Done};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Forgot {
    email: Email,
}

/// Ask for a mail to set a new password
///
/// A token is mailed to the address, if it is somebody's. The answer is the same either way.
#[utoipa::path(
    post,
    path = "/api/auth/password/forgot",
    operation_id = "forgot_password",
    tag = "accounts",
    request_body = Forgot,
    responses((status = 200, description = "Heard.", body = Done)),
    security(),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    auth.app.visitor(request).await?;
    let forgot: Forgot = request.json()?;
    auth.invoker.invoke(&AccountTask::ForgotPassword { email: forgot.email }).await?;
    Answer::ok(&Done { message: "If the address is known, a mail is on its way" })
}
