//! `POST /api/auth/totp`: creates a secret for the caller's authenticator app. It takes effect when a code is
//! confirmed.

use serde::{Deserialize, Serialize};
use shared::Result;
use shared::auth::{new_totp_secret, totp_address};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use crate::auth::Auth;

/// A request that requires the caller's password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::auth) struct WithPassword {
    #[schema(format = Password, example = "a long enough passphrase")]
    pub(in crate::auth) password: String,
}

#[derive(Serialize, ToSchema)]
struct Enrolled {
    /// The secret in base32.
    #[schema(example = "JBSWY3DPEHPK3PXP")]
    secret: String,
    /// The secret as a URI, to be shown as a QR code.
    #[schema(example = "otpauth://totp/…")]
    uri: String,
}

/// Enrol a second factor
///
/// Creates a secret for the caller's authenticator app. The second factor is on once a code has been confirmed with
/// `POST /api/auth/totp/confirm`.
#[utoipa::path(
    post,
    path = "/api/auth/totp",
    operation_id = "enrol_totp",
    tag = "accounts",
    request_body = WithPassword,
    responses((status = 200, description = "The secret.", body = Enrolled)),
    security(("session" = [])),
    extensions(("x-codes" = json!([Code::TooManyAttempts, Code::Conflict]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let body: WithPassword = request.json()?;
    let user = logged_in.user();
    auth.guard.confirm_password(user, body.password).await?;
    if user.totp.is_some() {
        return Err(Error::new(Code::Conflict, "The second factor is already on"));
    }
    let secret = new_totp_secret()?;
    auth.app.store.enrol_totp(&logged_in, &secret).await?;
    Answer::ok(&Enrolled { uri: totp_address(&user.username, &secret), secret })
}
