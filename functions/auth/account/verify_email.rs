//! `POST /api/auth/email/verify`: with a token that was mailed, verifies the address it was sent to; without one, sends
//! one to the caller.

use serde::Deserialize;
use shared::Result;
use shared::accounts::AccountTask;
use shared::http::{Answer, Request};
use shared::store::Purpose;
use utoipa::ToSchema;

use crate::auth::{Auth, Done};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Verify {
    #[schema(example = "mt_…")]
    token: Option<String>,
}

/// Verify the address
///
/// With a `token` that was mailed, the address it was sent to is verified; whoever has it need not be logged in. Without one, and with an access
/// token, a mail is sent to the caller.
#[utoipa::path(
    post,
    path = "/api/auth/email/verify",
    operation_id = "verify_email",
    tag = "accounts",
    request_body = Verify,
    responses((status = 200, description = "The address is verified, or a mail is on its way.", body = Done)),
    security((), ("session" = [])),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let body = request.json::<Verify>();
    // Whoever has the token may be logged in nowhere.
    if request.bearer().is_ok() && body.as_ref().is_ok_and(|body| body.token.is_none()) {
        let logged_in = auth.require_session(request).await?;
        auth.invoker.invoke(&AccountTask::VerifyAddress { user: logged_in.user().id }).await?;
        return Answer::ok(&Done { message: "A mail is on its way" });
    }
    auth.app.visitor(request).await?;
    let presented = auth.mail_token(&body?.token.unwrap_or_default(), Purpose::VerifyAddress).await?;
    auth.app.store.verify_email(&presented.hash, &presented.token).await?;
    Answer::ok(&Done { message: "The address is verified" })
}
