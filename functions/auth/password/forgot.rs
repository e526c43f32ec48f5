//! `POST /api/auth/password/forgot`: mails a token to reset the password to an address that belongs to an account.
//! Answer and duration do not reveal whether it does.

use serde::Deserialize;
use shared::Result;
use shared::accounts::AccountTask;
use shared::domain::Email;
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use crate::auth::Auth;
use crate::done::Done;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Forgot {
    email: Email,
}

/// Request a mail to reset the password
///
/// If the address belongs to an account, it receives a mail with a token. The answer does not reveal whether it does.
#[utoipa::path(
    post,
    path = "/api/auth/password/forgot",
    operation_id = "forgot_password",
    tag = "accounts",
    request_body = Forgot,
    responses((status = 200, description = "The request is accepted.", body = Done)),
    security(),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    auth.app.count_anonymous(request).await?;
    let forgot: Forgot = request.json()?;
    auth.invoker.invoke(&AccountTask::ForgotPassword { email: forgot.email }).await?;
    Done::answer("If the address is known, a mail is on its way")
}
