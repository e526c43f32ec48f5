//! `PATCH /api/auth/me`: changes what the caller is called and written to. Who reads the address can set a new password, so
//! another one takes the password, too, unless the caller has just logged in; and the old address is told.

use serde::{Deserialize, Deserializer};
use shared::Result;
use shared::domain::{DisplayName, Email};
use shared::error::Code;
use shared::http::{Answer, Request};
use utoipa::ToSchema;

use super::Auth;
use super::guess::confirm_unless_fresh;
use super::me::Profile;

#[derive(Deserialize, ToSchema)]
#[schema(as = ProfileChange, example = json!({"display_name": "Alice"}))]
#[serde(deny_unknown_fields)]
struct Change {
    email: Option<Email>,
    /// `null` takes the name away; without the field, it stays.
    #[serde(default, deserialize_with = "present")]
    display_name: Option<Option<DisplayName>>,
    /// Another address takes it, unless the session began within a quarter of an hour.
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
/// What is left out stays. Another address takes the password, unless the session began within a quarter of an hour. A mail goes to
/// it, by which it is verified, and the old one is told.
#[utoipa::path(
    patch,
    path = "/api/auth/me",
    operation_id = "change_profile",
    tag = "accounts",
    request_body = Change,
    responses((status = 200, description = "The profile as it is now.", body = Profile<'_>)),
    security(("session" = [])),
    extensions(("x-codes" = json!([Code::EmailTaken, Code::TooManyAttempts, Code::Conflict]))),
)]
pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let (caller, session) = auth.person(request).await?;
    let change: Change = request.json()?;
    let mut user = auth.user(caller.user).await?;
    let old_email = user.email.clone();
    user.email = change.email.unwrap_or(user.email);
    user.display_name = change.display_name.unwrap_or(user.display_name);
    let moved = user.email.canonical() != old_email.canonical();
    if moved || change.password.is_some() {
        confirm_unless_fresh(auth, &user, session, change.password).await?;
    }
    let was_verified = user.email_verified;
    user.email_verified &= !moved;
    auth.base.store.change_profile(&user, &old_email).await?;
    if moved {
        auth.send_verification(user.id).await;
    }
    if moved && was_verified {
        auth.tell_old_address(old_email).await;
    }
    Answer::ok(&Profile::from(&user))
}
