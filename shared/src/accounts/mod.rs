//! Work on accounts that continues after the caller was answered: mails, and the deletion of accounts.

mod account_deletion;
mod mails;

pub use account_deletion::delete_account;
pub use mails::{MAIL_TOKEN_PREFIX, Mails};

use serde::{Deserialize, Serialize};

use crate::domain::{Email, UserId};

/// A task for the function `tasks`. Every task may safely run twice, and a failed one is retried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case", deny_unknown_fields)]
pub enum AccountTask {
    /// Sends the mail through which a user verifies an address.
    VerifyAddress {
        /// The user.
        user: UserId,
    },
    /// Tells the old address of an account that the address was changed.
    AddressChanged {
        /// The old address.
        email: Email,
        /// Whether the user had verified the old address.
        #[serde(default)]
        was_verified: bool,
    },
    /// Sends the mail through which a user sets a new password, if an account has the address.
    ForgotPassword {
        /// The address.
        email: Email,
    },
    /// Deletes an account that is being closed, with everything it owns.
    DeleteAccount {
        /// The user.
        user: UserId,
    },
}
