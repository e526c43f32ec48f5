//! The second factor of a user: enrolled, confirmed, used, taken away.

use super::own_account::NotWritten;
use crate::domain::LoggedIn;
use crate::error::Result;
use crate::store::Store;
use crate::store::dynamo::{Expression, ids, number, text};

impl Store {
    /// Keeps the secret of a second factor that does not count yet.
    ///
    /// # Errors
    /// [`crate::error::Code::Conflict`] when there is one that counts; [`crate::error::Code::Unauthenticated`] when the
    /// session was revoked meanwhile.
    pub async fn enrol_totp(&self, by: &LoggedIn, secret: &str) -> Result<()> {
        let enrolled = Expression::default().set("totp_pending", text(secret)).when_absent("totp_secret");
        self.change_second_factor(by, enrolled).await
    }

    /// Makes the enrolled second factor count, with the step of the code that proved it, and these recovery codes.
    ///
    /// # Errors
    /// [`crate::error::Code::Conflict`] when another was enrolled meanwhile; [`crate::error::Code::Unauthenticated`] when
    /// the session was revoked meanwhile.
    pub async fn confirm_totp(
        &self,
        by: &LoggedIn,
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
        self.change_second_factor(by, confirmed).await
    }

    /// Takes the second factor away, and what was enrolled.
    ///
    /// # Errors
    /// [`crate::error::Code::Unauthenticated`] when the session was revoked meanwhile.
    pub async fn delete_totp(&self, by: &LoggedIn) -> Result<()> {
        self.change_second_factor(by, without_second_factor(Expression::default())).await
    }

    async fn change_second_factor(&self, by: &LoggedIn, change: Expression) -> Result<()> {
        let changed = self.change_own_account(by, change, Vec::new()).await?;
        changed.map_err(|_meanwhile| NotWritten::conflict())
    }
}

/// The change by which a user has no second factor, and none that is enrolled.
pub(in crate::store) fn without_second_factor(change: Expression) -> Expression {
    ["totp_secret", "totp_step", "totp_pending", "recovery"].into_iter().fold(change, Expression::remove)
}
