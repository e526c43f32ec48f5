//! The second factor of a user: enrolled, confirmed, used, taken away.

use super::expression::{Expression, Write, ids, number, text};
use super::{Store, key};
use crate::domain::User;
use crate::error::{Code, Error, Result};

impl Store {
    /// Keeps the secret of a second factor that does not count yet.
    ///
    /// # Errors
    /// [`Code::Conflict`] when there is one that counts.
    pub async fn enrol_totp(&self, user: &User, secret: &str) -> Result<()> {
        let enrolled = Expression::default().set("totp_pending", text(secret)).when_absent("totp_secret");
        self.change_user(user, enrolled).await
    }

    /// Makes the enrolled second factor count, with the step of the code that proved it, and these recovery codes.
    ///
    /// # Errors
    /// [`Code::Conflict`] when another was enrolled meanwhile.
    pub async fn confirm_totp(
        &self,
        user: &User,
        secret: &str,
        step: u64,
        recovery: Vec<String>,
    ) -> Result<()> {
        let confirmed = Expression::default()
            .set("totp_secret", text(secret))
            .set("totp_step", number(step))
            .set("recovery", ids(recovery))
            .remove("totp_pending")
            .when_equal("totp_pending", text(secret));
        self.change_user(user, confirmed).await
    }

    /// Takes the second factor away, and what was enrolled.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the account was changed meanwhile.
    pub async fn delete_totp(&self, user: &User) -> Result<()> {
        let gone = ["totp_secret", "totp_step", "totp_pending", "recovery"];
        self.change_user(user, gone.into_iter().fold(Expression::default(), Expression::remove)).await
    }

    async fn change_user(&self, user: &User, change: Expression) -> Result<()> {
        let change = change.when_equal("token_version", number(user.token_version)).when_absent("leaving");
        if self.transact(vec![Write::update(&self.studio, key::user(user.id), change)]).await?.is_committed()
        {
            return Ok(());
        }
        Err(Error::new(Code::Conflict, "The account was changed meanwhile. Please try again."))
    }
}
