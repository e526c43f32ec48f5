//! `PATCH /api/auth/me`: changes the caller's display name and email address. Mail to the address can reset the
//! password, so a new address requires the password, and the old address is notified.

use serde::{Deserialize, Deserializer};
use shared::Result;
use shared::domain::{DisplayName, Email, Visible};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use super::me::Profile;
use crate::auth::Auth;

#[derive(Deserialize, ToSchema)]
#[schema(as = ProfileChange, example = json!({"display_name": "Alice"}))]
#[serde(deny_unknown_fields)]
struct ProfileChange {
    email: Option<Email>,
    /// `null` removes the name.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DisplayName>)]
    display_name: Option<Option<Visible<DisplayName>>>,
    /// Required to change the address.
    #[schema(format = Password)]
    password: Option<String>,
}

/// Reads a field that is there, so that `null` differs from a missing field.
fn present<'de, D, T>(field: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(field).map(Some)
}

/// Change your profile
///
/// Omitted fields keep their values. A new address, or a new spelling of the address, requires the password. The new
/// address receives a mail to verify it, and the old address is notified.
#[utoipa::path(
    patch,
    path = "/api/auth/me",
    operation_id = "change_profile",
    tag = "accounts",
    request_body = ProfileChange,
    responses((status = 200, description = "The changed profile.", body = Profile<'_>)),
    security(("session" = [])),
    extensions(("x-codes" = json!([Code::EmailTaken, Code::TooManyAttempts, Code::Conflict]))),
)]
pub(in crate::auth) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let logged_in = auth.require_session(request).await?;
    let change: ProfileChange = request.json()?;
    let old = logged_in.user();
    let mut user = old.clone();
    user.email = change.email.unwrap_or(user.email);
    if let Some(name) = change.display_name {
        user.display_name = name.map(Visible::into_inner);
    }
    // Compared byte by byte: two spellings that look alike can be mailboxes of different people.
    let moved = user.email != old.email;
    if moved || change.password.is_some() {
        let missing = || Error::new(Code::Forbidden, "Changing the address requires the password");
        auth.guard.confirm_password(old, change.password.ok_or_else(missing)?).await?;
    }
    user.email_verified &= !moved;
    auth.app.store.change_profile(&logged_in, &user).await?;
    if moved {
        auth.send_verification(user.id).await;
        auth.notify_old_address(old.email.clone(), old.email_verified).await;
    }
    Answer::ok(&Profile::from(&user))
}
