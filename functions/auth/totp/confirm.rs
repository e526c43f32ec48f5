//! `POST /api/auth/totp/confirm`: turns the enrolled second factor on, and shows the recovery codes this once.

use serde::{Deserialize, Serialize};
use shared::Result;
use shared::auth::new_recovery_codes;
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use crate::auth::Auth;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Confirm {
    /// A current code of the authenticator app.
    #[schema(example = "123456")]
    code: String,
}

#[derive(Serialize, ToSchema)]
struct Confirmed {
    /// Ten codes. Each replaces a code of the authenticator app once.
    recovery_codes: Vec<String>,
}

/// Confirm the second factor
///
/// Turns the second factor on: from now on, each login needs a code. The ten recovery codes are shown only in this
/// answer. Each of them replaces a code once.
#[utoipa::path(
    post,
    path = "/api/auth/totp/confirm",
    operation_id = "confirm_totp",
    tag = "accounts",
    request_body = Confirm,
    responses((status = 200, description = "The second factor is on.", body = Confirmed)),
    security(("session" = [])),
    extensions(("x-codes" = json!([Code::TooManyAttempts, Code::Conflict]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let body: Confirm = request.json()?;
    let user = logged_in.user();
    let secret = user.totp_pending.as_deref();
    let secret = secret.ok_or_else(|| Error::new(Code::Conflict, "No second factor was enrolled"))?;
    let confirmation = auth.guard.begin_confirmation(user.id).await?;
    let step = confirmation.check_code(secret, &body.code)?;
    let (recovery_codes, hashes) = new_recovery_codes()?.into_iter().unzip();
    auth.app.store.confirm_totp(&logged_in, secret, step, hashes).await?;
    confirmation.succeed().await?;
    Answer::ok(&Confirmed { recovery_codes })
}
