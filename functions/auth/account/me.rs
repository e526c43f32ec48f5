//! `GET /api/auth/me`: returns the caller's profile as it is now.

use serde::Serialize;
use shared::Result;
use shared::auth::AuthError;
use shared::domain::{DisplayName, Email, User, UserId, Username};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use crate::auth::Auth;

/// The profile of a user, as shown to that user.
#[derive(Serialize, ToSchema)]
pub(super) struct Profile<'a> {
    id: UserId,
    username: &'a Username,
    email: &'a Email,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    display_name: Option<&'a DisplayName>,
    #[schema(format = DateTime, example = "2026-11-22T10:00:00.000Z")]
    created_at: String,
    /// Whether the user has verified the address.
    email_verified: bool,
    /// Whether a login needs a code of the second factor.
    totp_enabled: bool,
}

impl<'a> From<&'a User> for Profile<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id,
            username: &user.username,
            email: &user.email,
            display_name: user.display_name.as_ref(),
            created_at: user.created_at.to_string(),
            email_verified: user.email_verified,
            totp_enabled: user.totp.is_some(),
        }
    }
}

/// Read your profile
///
/// Includes every change that was acknowledged before this request.
#[utoipa::path(
    get,
    path = "/api/auth/me",
    operation_id = "read_profile",
    tag = "accounts",
    responses((status = 200, description = "The profile.", body = Profile<'_>)),
    extensions(("x-codes" = json!([Code::NotFound]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let admitted = auth.app.admit_now(request).await;
    let (_, user) = admitted.map_err(|refusal| match refusal {
        // On this route alone, existing clients expect 404 for a deleted user and 401 for a bad token.
        AuthError::UserGone => Error::new(Code::NotFound, "User not found"),
        other => other.into(),
    })?;
    Answer::ok(&Profile::from(&*user))
}
