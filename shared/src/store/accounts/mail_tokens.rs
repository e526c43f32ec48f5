//! Tokens that are sent by mail. A token can be used once, and only while the address and the password are the ones
//! that the account had when the token was created. Only a hash of the token is stored.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::second_factor::without_second_factor;
use crate::domain::{Email, Millis, User, UserId};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::store::dynamo::{Expression, Write, item_at, number, text};
use crate::store::{Store, key};

/// What a mail token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Verifying the email address.
    VerifyAddress,
    /// Setting a new password.
    ResetPassword,
}

/// A mail token as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MailToken {
    /// What the token can be used for.
    pub purpose: Purpose,
    /// Its user.
    pub user: UserId,
    /// The address to which it was sent.
    pub email: Email,
    /// The user's token version when it was created.
    pub token_version: u64,
    /// A hash of the user's stored password hash when it was created.
    pub password: String,
    /// When it expires.
    pub ends_at: Millis,
}

impl MailToken {
    /// The error for a token that is unknown, used, expired or outdated. It does not say which.
    #[must_use]
    pub fn refused() -> Error {
        Error::invalid_field("token", "is wrong, was used or has expired")
    }

    /// Checks that the password has not changed since the token was created. `hashed` is the hash of the current
    /// password hash.
    ///
    /// # Errors
    /// [`Code::Invalid`] when the password was changed.
    pub fn check_password(&self, hashed: &str) -> Result<()> {
        if self.password == hashed { Ok(()) } else { Err(Self::refused()) }
    }
}

impl Store {
    /// Stores a mail token by its hash.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn create_mail_token(&self, hash: &str, token: &MailToken) -> Result<()> {
        let mut item = item_at(key::mail_token(token.user, hash), "mail_token", token)?;
        item.insert("expires_at".to_owned(), number(token.ends_at.seconds()));
        self.put(&self.studio, item).await
    }

    /// Gets the mail token of `user` with this hash, if it allows `purpose` and has not expired at `now`.
    ///
    /// # Errors
    /// [`Code::Invalid`] when there is no such token.
    pub async fn get_mail_token(
        &self,
        user: UserId,
        hash: &str,
        purpose: Purpose,
        now: Millis,
    ) -> Result<MailToken> {
        let token: Option<MailToken> = self.find_item(key::mail_token(user, hash)).await?;
        let is_valid = |token: &MailToken| token.purpose == purpose && token.ends_at > now;
        token.filter(is_valid).ok_or_else(MailToken::refused)
    }

    /// Uses up a mail token to mark the address to which it was sent as verified.
    ///
    /// # Errors
    /// [`Code::Invalid`] when the token was used or the address was changed meanwhile.
    pub async fn verify_email(&self, hash: &str, token: &MailToken) -> Result<()> {
        let verified = Expression::default()
            .set("email_verified", AttributeValue::Bool(true))
            .when_equal("email", text(token.email.as_str()));
        self.use_token(hash, token.user, verified).await
    }

    /// Uses up a mail token to set a new password of `user`. All sessions and API keys are revoked, so an intruder
    /// loses access. If the address was never verified, the second factor is removed too.
    ///
    /// # Errors
    /// [`Code::Invalid`] when the token was used or the account was changed meanwhile.
    pub async fn reset_password(
        &self,
        hash: &str,
        token: &MailToken,
        user: &User,
        password_hash: &str,
    ) -> Result<()> {
        let is_verified = AttributeValue::Bool(user.email_verified);
        let reset = if user.email_verified {
            Expression::default().when_equal("email_verified", is_verified)
        } else {
            // Somebody may have registered with an address of another person. The person who receives the mail owns the
            // address, so a second factor that was set up before must not keep that person out.
            without_second_factor(Expression::default()).when_absent_or_equal("email_verified", is_verified)
        };
        let reset = reset
            .set("password_hash", text(password_hash))
            // The token was sent to the address, so using it verifies the address.
            .set("email_verified", AttributeValue::Bool(true))
            .remove("sessions")
            .remove("keys")
            .remove("failures")
            .remove("failed_at")
            .add("token_version", 1)
            .when_equal("password_hash", text(user.password_hash.clone()))
            .when_equal("token_version", number(token.token_version))
            .when_equal("email", text(token.email.as_str()));
        self.use_token(hash, token.user, reset).await?;
        self.delete_key_items(token.user, &user.keys).await?;
        self.delete_session_items(token.user, |session| user.sessions.contains(&session)).await
    }

    async fn use_token(&self, hash: &str, user: UserId, change: Expression) -> Result<()> {
        let writes = vec![
            Write::delete(&self.studio, key::mail_token(user, hash), Expression::default().when_exists("pk")),
            Write::update(&self.studio, key::user(user), change.when_exists("pk").when_absent("leaving")),
        ];
        if self.transact(writes).await?.is_committed() { Ok(()) } else { Err(MailToken::refused()) }
    }

    /// Finds the user with this address, read consistently.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn find_user_by_email(&self, email: &Email) -> Result<Option<User>> {
        #[derive(Deserialize)]
        struct EmailItem {
            user: UserId,
        }
        match self.find_item::<EmailItem>(key::email(email)).await? {
            Some(item) => self.find_user(item.user).await,
            None => Ok(None),
        }
    }
}
