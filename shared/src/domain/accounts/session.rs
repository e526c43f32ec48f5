//! Sessions. A session begins with a login and lives as long as its refresh token is used regularly.

use std::sync::Arc;

use crate::domain::{Credential, Millis, SessionId, User};

/// A session ends when it has not been used for 30 days.
const IDLE_SECONDS: u64 = 30 * 86_400;
/// A session ends in any case after 90 days.
const LONGEST_SECONDS: u64 = 90 * 86_400;

/// A session of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The id, which the session's tokens contain.
    pub id: SessionId,
    /// When the user logged in.
    pub created_at: Millis,
    /// When its refresh token was last used.
    pub last_used_at: Millis,
    /// The IP address of the login, as the gateway reported it.
    pub address: String,
    /// The `User-Agent` header of the login.
    pub user_agent: String,
}

/// Proof that the caller is logged in: the user, read consistently for this request, and the session of the access
/// token.
///
/// Store functions that write a credential, an address or a second factor, or that delete the account, require it, and
/// write on condition that the session is still live. So a session that is revoked during a request cannot leave a
/// change behind.
#[derive(Clone)]
pub struct LoggedIn {
    user: Arc<User>,
    session: SessionId,
}

impl LoggedIn {
    /// `None` unless `session` is a live session of the user and `token_version` is the user's current one.
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

    /// Whether the session is still live in `user`, which was read again.
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

/// For this long after a login, the session proves that the caller knows the password.
const FRESH_SECONDS: u64 = 15 * 60;

/// Whether the session with this id began so recently that actions that require the password are allowed without it.
#[must_use]
pub fn is_fresh(id: SessionId, now: Millis) -> bool {
    id.created_at().plus_seconds(FRESH_SECONDS) > now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_30_days_after_its_last_use_and_90_days_after_the_login() {
        let day = |number: u64| Millis::saturating(number * 86_400_000);
        assert_eq!(ends_at(day(0), day(0)), day(30));
        assert_eq!(ends_at(day(0), day(59)), day(89));
        assert_eq!(ends_at(day(0), day(89)), day(90));
    }
}
