//! Changes of an account's address, display name and password.

use aws_sdk_dynamodb::types::AttributeValue;

use super::own_account::NotWritten;
use crate::domain::{LoggedIn, User};
use crate::error::{Code, Error, Result};
use crate::store::dynamo::{Expression, Write, ids, item_at, text};
use crate::store::{Store, key};

impl Store {
    /// Stores the address and the display name of `changed`, which is the new state of the user who is logged in. A new
    /// address is claimed and the old one is released in one transaction, so when two users want the same address,
    /// exactly one of them gets it.
    ///
    /// # Errors
    /// [`Code::EmailTaken`]; [`Code::Conflict`] when the address was changed meanwhile; [`Code::Unauthenticated`] when
    /// the session was revoked meanwhile.
    pub async fn change_profile(&self, by: &LoggedIn, changed: &User) -> Result<()> {
        let old = &by.user().email;
        let change = Expression::default()
            .set("email", text(changed.email.as_str()))
            .set_or_remove("display_name", changed.display_name.as_ref().map(|name| text(name.as_str())))
            .set("email_verified", AttributeValue::Bool(changed.email_verified))
            .when_equal("email", text(old.as_str()));
        let mut others = Vec::new();
        // An address that changes only in case has the same item.
        if changed.email.canonical() != old.canonical() {
            let owner = serde_json::json!({ "user": by.user().id });
            others.push(Write::create(&self.studio, item_at(key::email(&changed.email), "email", &owner)?));
            others.push(Write::delete(&self.studio, key::email(old), Expression::default()));
        }
        self.change_own_account(by, change, others).await?.map_err(|not_written| match not_written {
            NotWritten::AccountChanged => NotWritten::conflict(),
            NotWritten::Other => Error::new(Code::EmailTaken, "Email already registered"),
        })
    }

    /// Stores a new password of the user who is logged in, and ends all other sessions of the user.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the password was changed meanwhile; [`Code::Unauthenticated`] when the session was
    /// revoked meanwhile.
    pub async fn change_password(&self, by: &LoggedIn, hash: &str) -> Result<()> {
        let (user, kept) = (by.user(), by.session());
        let changed = Expression::default()
            .set("password_hash", text(hash))
            .set("sessions", ids([kept.to_string()]))
            .when_equal("password_hash", text(user.password_hash.clone()));
        let written = self.change_own_account(by, changed, Vec::new()).await?;
        written.map_err(|_meanwhile| NotWritten::conflict())?;
        self.delete_session_items(user.id, |session| session != kept).await
    }
}
