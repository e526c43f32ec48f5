//! Tokens that were mailed: good once, for the address and the password of the moment they were made.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::second_factor::without_second_factor;
use crate::domain::{Email, Millis, User, UserId};
use crate::error::{Error, Result};
use crate::store::dynamo::{Expression, Write, item_at, number, text};
use crate::store::{Store, key};

/// What a mailed token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To show that the user reads the address.
    VerifyAddress,
    /// To set a new password.
    ResetPassword,
}

/// A token that was mailed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MailToken {
    /// What it is good for.
    pub purpose: Purpose,
    /// Whose it is.
    pub user: UserId,
    /// Where it was sent.
    pub email: Email,
    /// The version of the user's tokens at that time.
    pub token_version: u64,
    /// What the stored hash of the password hashed to at that time.
    pub password: String,
    /// When it ends.
    pub ends_at: Millis,
}

impl MailToken {
    /// What whoever presents a token is told that is not good.
    #[must_use]
    pub fn refused() -> Error {
        Error::invalid_field("token", "is wrong, was used, or is over")
    }

    /// Makes sure that the password is the one of the moment when the token was made.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when it was changed since.
    pub fn check_password(&self, hashed: &str) -> Result<()> {
        if self.password == hashed { Ok(()) } else { Err(Self::refused()) }
    }
}

impl Store {
    /// Keeps a mailed token by its hash.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn create_mail_token(&self, hash: &str, token: &MailToken) -> Result<()> {
        let mut item = item_at(key::mail_token(token.user, hash), "mail_token", token)?;
        item.insert("expires_at".to_owned(), number(token.ends_at.seconds()));
        self.put(&self.studio, item).await
    }

    /// The token of `user` with this hash, if it is good for `purpose` at `now`.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] otherwise.
    pub async fn get_mail_token(
        &self,
        user: UserId,
        hash: &str,
        purpose: Purpose,
        now: Millis,
    ) -> Result<MailToken> {
        let token: Option<MailToken> = self.find_item(key::mail_token(user, hash)).await?;
        let good = |token: &MailToken| token.purpose == purpose && token.ends_at > now;
        token.filter(good).ok_or_else(MailToken::refused)
    }

    /// Spends a token to verify the address it was sent to.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when it was spent, or the address was changed, meanwhile.
    pub async fn verify_email(&self, hash: &str, token: &MailToken) -> Result<()> {
        let verified = Expression::default()
            .set("email_verified", AttributeValue::Bool(true))
            .when_equal("email", text(token.email.as_str()));
        self.spend(hash, token.user, verified).await
    }

    /// Spends a token to set a new password of `user`. All sessions and API keys end: whoever got in is out, whatever was
    /// made there. Of an address that was never verified, the second factor goes, too.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when it was spent, or the account was changed, meanwhile.
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
            // Whoever registered need not read the address; whoever does owns it, and no second factor of somebody else's
            // must keep them out.
            without_second_factor(Expression::default()).when_absent_or_equal("email_verified", is_verified)
        };
        let reset = reset
            .set("password_hash", text(password_hash))
            // Who could read the token reads the address.
            .set("email_verified", AttributeValue::Bool(true))
            .remove("sessions")
            .remove("keys")
            .remove("failures")
            .remove("failed_at")
            .add("token_version", 1)
            .when_equal("password_hash", text(user.password_hash.clone()))
            .when_equal("token_version", number(token.token_version))
            .when_equal("email", text(token.email.as_str()));
        self.spend(hash, token.user, reset).await?;
        self.delete_key_items(token.user, &user.keys).await?;
        self.delete_session_items(token.user, |session| user.sessions.contains(&session)).await
    }

    async fn spend(&self, hash: &str, user: UserId, change: Expression) -> Result<()> {
        let writes = vec![
            Write::delete(&self.studio, key::mail_token(user, hash), Expression::default().when_exists("pk")),
            Write::update(&self.studio, key::user(user), change.when_exists("pk").when_absent("leaving")),
        ];
        if self.transact(writes).await?.is_committed() { Ok(()) } else { Err(MailToken::refused()) }
    }

    /// The user with this address, read consistently.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
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
