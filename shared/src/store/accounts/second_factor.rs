//! The second factor (TOTP) of a user: enrolment, confirmation and removal.

use super::own_account::NotWritten;
use crate::domain::LoggedIn;
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::Store;
use crate::store::dynamo::{Expression, ids, number, text};

impl Store {
    /// Stores the secret of a second factor that is not confirmed yet, so logins do not require it.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the user has a confirmed second factor; [`Code::Unauthenticated`] when the session was
    /// revoked meanwhile.
    pub async fn enrol_totp(&self, by: &LoggedIn, secret: &str) -> Result<()> {
        let enrolled = Expression::default().set("totp_pending", text(secret)).when_absent("totp_secret");
        self.change_second_factor(by, enrolled).await
    }

    /// Confirms the enrolled second factor: logins require it from now on. `step` is the time step of the code that
    /// confirmed it, `recovery` the hashes of the recovery codes.
    ///
    /// # Errors
    /// [`Code::Conflict`] when another secret was enrolled meanwhile; [`Code::Unauthenticated`] when the session was
    /// revoked meanwhile.
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

    /// Removes the second factor, the recovery codes and a secret that is not confirmed yet.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when the session was revoked meanwhile.
    pub async fn delete_totp(&self, by: &LoggedIn) -> Result<()> {
        self.change_second_factor(by, without_second_factor(Expression::default())).await
    }

    async fn change_second_factor(&self, by: &LoggedIn, change: Expression) -> Result<()> {
        let changed = self.change_own_account(by, change, Vec::new()).await?;
        changed.map_err(|_meanwhile| NotWritten::conflict())
    }
}

/// Adds the removal of the second factor, the recovery codes and an unconfirmed secret to `change`.
pub(in crate::store) fn without_second_factor(change: Expression) -> Expression {
    ["totp_secret", "totp_step", "totp_pending", "recovery"].into_iter().fold(change, Expression::remove)
}
