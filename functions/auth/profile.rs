//! `PATCH /api/auth/me`: changes what the caller is called and written to.

use serde::{Deserialize, Deserializer};
use shared::Result;
use shared::auth::Refusal;
use shared::domain::{DisplayName, Email};
use shared::error::Error;
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
    let user = auth.base.store.find_user(caller.user).await?;
    let mut user = user.ok_or_else(|| Error::from(Refusal::UserGone))?;
    let old_email = user.email.clone();
    user.email = change.email.unwrap_or(user.email);
    user.display_name = change.display_name.unwrap_or(user.display_name);
    auth.base.store.change_profile(&user, &old_email).await?;
    Answer::ok(&Profile::from(&user))
}
