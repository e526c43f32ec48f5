//! `PATCH /api/auth/me`: changes what the caller is called and written to.

use serde::{Deserialize, Deserializer};
use shared::Result;
use shared::domain::{DisplayName, Email};
use shared::http::{Answer, Request};

use super::Auth;
use super::me::Profile;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    email: Option<Email>,
    /// `null` takes the name away; without the field, it stays.
    #[serde(default, deserialize_with = "present")]
    display_name: Option<Option<DisplayName>>,
}

/// Tells `null` from a field that is not there.
fn present<'de, D, T>(field: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(field).map(Some)
}

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let (caller, _) = auth.person(request).await?;
    let change: Change = request.json()?;
    let mut user = auth.user(caller.user).await?;
    let old_email = user.email.clone();
    user.email = change.email.unwrap_or(user.email);
    user.display_name = change.display_name.unwrap_or(user.display_name);
    let moved = user.email.canonical() != old_email.canonical();
    user.email_verified &= !moved;
    auth.base.store.change_profile(&user, &old_email).await?;
    if moved {
        auth.send_verification(user.id).await;
    }
    Answer::ok(&Profile::from(&user))
}
