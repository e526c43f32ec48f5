//! Account work that goes on after its caller was answered: mails, and the deletion of accounts.

mod departure;
mod mails;

pub use departure::delete_account;
pub use mails::{MAIL_TOKEN_PREFIX, Mails};

use serde::{Deserialize, Serialize};

use crate::domain::{Email, UserId};

/// What the function `tasks` is invoked with. Each task may be done twice, and one that fails is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case", deny_unknown_fields)]
pub enum Task {
    /// Send a mail by which the user shows to read what is sent to the address.
    VerifyAddress {
        /// Whom.
        user: UserId,
    },
    /// Tell whoever reads the address that an account has another one now.
    AddressChanged {
        /// The old one.
        email: Email,
        /// Whether the account's user had verified it.
        #[serde(default)]
        was_verified: bool,
    },
    /// Send a mail by which whoever reads it can set a new password, if the address is somebody's.
    ForgotPassword {
        /// Where to.
        email: Email,
    },
    /// Delete an account that is leaving, with all it owns.
    DeleteAccount {
        /// Whose.
        user: UserId,
    },
}
