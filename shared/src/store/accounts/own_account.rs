//! Changes of an account that require a live session of its user: credentials, address, second factor, deletion. The
//! transaction that makes the change also checks the session, so a session that is revoked at the same time cannot
//! leave a change behind.

use crate::domain::LoggedIn;
use crate::error::{Code, Error, Result};
use crate::store::dynamo::{Expression, Write, number, text};
use crate::store::{Store, key};

/// Which condition failed, other than the session check.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum NotWritten {
    /// A condition on the user's own item failed.
    AccountChanged,
    /// A condition on another item failed.
    Other,
}

impl NotWritten {
    /// The error for a change that another request preceded.
    pub(in crate::store) fn conflict() -> Error {
        Error::new(Code::Conflict, "The account was changed by another request. Please try again.")
    }
}

impl Expression {
    /// Adds the condition, for the user's own item, that the session is still live.
    fn while_logged_in(self, by: &LoggedIn) -> Self {
        self.when_equal("token_version", number(by.user().token_version))
            .when_contains("sessions", text(by.session().to_string()))
            .when_absent("leaving")
    }
}

impl Store {
    /// Changes the user's own item and makes the writes `others` in one transaction, on condition that the session of
    /// `by` is still live. The inner result says which other condition failed.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when the session was revoked meanwhile.
    pub(in crate::store) async fn change_own_account(
        &self,
        by: &LoggedIn,
        change: Expression,
        others: Vec<Write>,
    ) -> Result<Result<(), NotWritten>> {
        let own = Write::update(&self.studio, key::user(by.user().id), change.while_logged_in(by));
        let outcome = self.transact([vec![own], others].concat()).await?;
        let not_written = match outcome.refused() {
            [] => return Ok(Ok(())),
            [0, ..] => NotWritten::AccountChanged,
            _ => NotWritten::Other,
        };
        match self.find_user(by.user().id).await? {
            Some(user) if by.lives_in(&user) => Ok(Err(not_written)),
            _ => Err(Error::new(Code::Unauthenticated, "Could not validate credentials")),
        }
    }
}
