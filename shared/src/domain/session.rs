//! Sessions: each begins with a login and lives as long as its refresh token is used.

use std::sync::Arc;

use super::{Credential, Millis, SessionId, User};

/// Unused for so long, a session ends: 30 days.
const IDLE_SECONDS: u64 = 30 * 86_400;
/// A session ends in any case after 90 days.
const LONGEST_SECONDS: u64 = 90 * 86_400;

/// A session of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Ours; tokens name it.
    pub id: SessionId,
    /// When the user logged in.
    pub created_at: Millis,
    /// When its refresh token was last used.
    pub last_used_at: Millis,
    /// From where: the address, as the gateway saw it.
    pub address: String,
    /// From what: what the client says of itself.
    pub user_agent: String,
}

/// A user who is logged in: the user as read consistently for this request, and the session whose access token asks.
///
/// Store functions that write a credential, an address or a second factor, or that delete the account, take it, and write
/// only while this session lives. So a session that was revoked meanwhile leaves nothing behind.
#[derive(Clone)]
pub struct LoggedIn {
    user: Arc<User>,
    session: SessionId,
}

impl LoggedIn {
    /// None unless `session` is among the user's live sessions and `token_version` is the user's.
    #[must_use]
    pub fn new(user: Arc<User>, session: SessionId, token_version: u64) -> Option<Self> {
        user.has(Credential::Session(session), token_version).then_some(Self { user, session })
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Whether `user`, read again, still has this session.
    #[must_use]
    pub fn lives_in(&self, user: &User) -> bool {
        user.has(Credential::Session(self.session), self.user.token_version)
    }
}

/// When a session that began at `created_at` ends if it is used at `now` and never again.
#[must_use]
pub fn ends_at(created_at: Millis, now: Millis) -> Millis {
    now.plus_seconds(IDLE_SECONDS).min(created_at.plus_seconds(LONGEST_SECONDS))
}

/// For so long, a login proves that whoever has the session knows the password.
const FRESH_SECONDS: u64 = 15 * 60;

/// Whether the session with this id began so short a time before `now` that what takes a password may be done without it.
#[must_use]
pub fn is_fresh(id: SessionId, now: Millis) -> bool {
    id.made_at().plus_seconds(FRESH_SECONDS) > now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_thirty_days_after_its_last_use_and_ninety_after_its_first() {
        let day = |number: u64| Millis::saturating(number * 86_400_000);
        assert_eq!(ends_at(day(0), day(0)), day(30));
        assert_eq!(ends_at(day(0), day(59)), day(89));
        assert_eq!(ends_at(day(0), day(89)), day(90));
    }
}
