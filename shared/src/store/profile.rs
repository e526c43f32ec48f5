//! Changes of an account: its address, its display name, its password.

use aws_sdk_dynamodb::types::AttributeValue;

use super::expression::{Expression, Write, ids, number, text};
use super::items::item_at;
use super::{Store, key};
use crate::domain::{Email, SessionId, User};
use crate::error::{Code, Error, Result};

impl Store {
    /// Stores the address and the display name of `user`. Another address is taken, and the old one is free again, in
    /// one transaction: of two users who want one address at once, exactly one gets it.
    ///
    /// # Errors
    /// [`Code::EmailTaken`]; [`Code::Conflict`] when the address was changed meanwhile.
    pub async fn change_profile(&self, user: &User, old: &Email) -> Result<()> {
        let changed = Expression::default()
            .set("email", text(user.email.as_str()))
            .set_or_remove("display_name", user.display_name.as_ref().map(|name| text(name.as_str())))
            .set("email_verified", AttributeValue::Bool(user.email_verified))
            .when_equal("email", text(old.as_str()))
            .when_absent("leaving");
        let mut writes = vec![Write::update(&self.studio, key::user(user.id), changed)];
        // The same address in another case is the same address.
        if user.email.canonical() != old.canonical() {
            let owner = serde_json::json!({ "user": user.id });
            writes.push(Write::create(&self.studio, item_at(key::email(&user.email), "email", &owner)?));
            writes.push(Write::delete(&self.studio, key::email(old), Expression::default()));
        }
        match self.transact(writes).await?.refused() {
            [] => Ok(()),
            [0, ..] => {
                Err(Error::new(Code::Conflict, "The profile was changed meanwhile. Please try again."))
            }
            _ => Err(Error::new(Code::EmailTaken, "Email already registered")),
        }
    }

    /// Stores a new password of `user` and ends all sessions but `kept`.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the password was changed, or the session ended, meanwhile.
    pub async fn change_password(&self, user: &User, kept: SessionId, hash: &str) -> Result<()> {
        let changed = Expression::default()
            .set("password_hash", text(hash))
            .set("sessions", ids([kept.to_string()]))
            .when_equal("password_hash", text(user.password_hash.clone()))
            .when_equal("token_version", number(user.token_version))
            .when_contains("sessions", text(kept.to_string()));
        let write = Write::update(&self.studio, key::user(user.id), changed);
        if !self.transact(vec![write]).await?.is_committed() {
            return Err(Error::new(Code::Conflict, "The account was changed meanwhile. Please try again."));
        }
        self.delete_session_items(user.id, |session| session != kept).await
    }
}
