//! `PATCH /api/auth/me`: changes what the caller is called and written to. Who reads the address can set a new password, so
//! another one takes the password, and the old address is told.

use serde::{Deserialize, Deserializer};
use shared::Result;
use shared::domain::{DisplayName, Email, Visible};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use super::me::Profile;
use crate::auth::Auth;
use crate::auth::guess::confirm;

#[derive(Deserialize, ToSchema)]
#[schema(as = ProfileChange, example = json!({"display_name": "Alice"}))]
#[serde(deny_unknown_fields)]
struct ProfileChange {
    email: Option<Email>,
    /// `null` takes the name away; without the field, it stays.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DisplayName>)]
    display_name: Option<Option<Visible<DisplayName>>>,
    /// Another address takes it.
    #[schema(format = Password)]
    password: Option<String>,
}

/// Tells `null` from a field that is not there.
fn present<'de, D, T>(field: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(field).map(Some)
}

/// Change the own profile
///
/// What is left out stays. Another address, or another spelling of the address, takes the password. A mail goes to it, by which
/// it is verified, and the old one is told.
#[utoipa::path(
    patch,
    path = "/api/auth/me",
    operation_id = "change_profile",
    tag = "accounts",
    request_body = ProfileChange,
    responses((status = 200, description = "The profile as it is now.", body = Profile<'_>)),
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
    // Compared by bytes: who reads one spelling need not read another that only looks like it.
    let moved = user.email != old.email;
    if moved || change.password.is_some() {
        let missing = || Error::new(Code::Forbidden, "Another address takes the password");
        confirm(auth, old, change.password.ok_or_else(missing)?).await?;
    }
    user.email_verified &= !moved;
    auth.app.store.change_profile(&logged_in, &user).await?;
    if moved {
        auth.send_verification(user.id).await;
        auth.tell_old_address(old.email.clone(), old.email_verified).await;
    }
    Answer::ok(&Profile::from(&user))
}
