//! `POST /api/auth/totp/confirm`: makes the enrolled second factor count, and shows the recovery codes, this once.

use serde::{Deserialize, Serialize};
use shared::Result;
use shared::auth::{matching_step, new_recovery_codes};
use shared::clock;
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use crate::auth::Auth;
use crate::auth::guess::Confirmation;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Confirm {
    #[schema(example = "123456")]
    code: String,
}

#[derive(Serialize, ToSchema)]
struct Confirmed {
    recovery_codes: Vec<String>,
}

/// Confirm the second factor
///
/// It counts from now on. Each of the ten recovery codes, shown this once, is good once in the place of a code.
#[utoipa::path(
    post,
    path = "/api/auth/totp/confirm",
    operation_id = "confirm_totp",
    tag = "accounts",
    request_body = Confirm,
    responses((status = 200, description = "The second factor counts.", body = Confirmed)),
    security(("session" = [])),
    extensions(("x-codes" = json!([Code::TooManyAttempts, Code::Conflict]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let body: Confirm = request.json()?;
    let user = logged_in.user();
    let secret = user.totp_pending.as_deref();
    let secret = secret.ok_or_else(|| Error::new(Code::Conflict, "No second factor was enrolled"))?;
    let confirmation = Confirmation::begin(auth, user.id).await?;
    let step = matching_step(secret, &body.code, clock::now());
    let step = step.ok_or_else(|| Error::new(Code::Forbidden, "The code is wrong"))?;
    let (recovery_codes, hashes) = new_recovery_codes()?.into_iter().unzip();
    auth.app.store.confirm_totp(&logged_in, secret, step, hashes).await?;
    confirmation.was_right().await?;
    Answer::ok(&Confirmed { recovery_codes })
}
