//! `POST /api/auth/email/verify`: verifies an address with the token from a mail, or sends the caller such a mail.

use serde::Deserialize;
use shared::Result;
use shared::accounts::AccountTask;
use shared::http::{Answer, Request};
use shared::store::Purpose;
use utoipa::ToSchema;

use crate::auth::Auth;
use crate::done::Done;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Verify {
    /// The token from the mail. Without it, a mail is sent.
    #[schema(example = "mt_…")]
    token: Option<String>,
}

/// Verify an email address
///
/// With the `token` from a mail, verifies the address that the mail was sent to; no login is needed. Without `token`,
/// and with an access token, sends a mail to the caller's address.
#[utoipa::path(
    post,
    path = "/api/auth/email/verify",
    operation_id = "verify_email",
    tag = "accounts",
    request_body = Verify,
    responses((status = 200, description = "The address is verified, or a mail is being sent.", body = Done)),
    security((), ("session" = [])),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let body = request.json::<Verify>();
    if request.bearer().is_ok() && body.as_ref().is_ok_and(|body| body.token.is_none()) {
        let logged_in = auth.require_session(request).await?;
        auth.invoker.invoke(&AccountTask::VerifyAddress { user: logged_in.user().id }).await?;
        return Done::answer("A mail is on its way");
    }
    auth.app.count_anonymous(request).await?;
    let presented = auth.mail_token(&body?.token.unwrap_or_default(), Purpose::VerifyAddress).await?;
    auth.app.store.verify_email(&presented.hash, &presented.token).await?;
    Done::answer("The address is verified")
}
