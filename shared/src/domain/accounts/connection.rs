//! The owner of a WebSocket connection, and how long the owner's token lasts.

use serde::{Deserialize, Serialize};

use crate::domain::{Credential, Millis, UserId};

/// How long a connection stays open after its token has expired, so that its client can send a new one.
const GRACE_SECONDS: u64 = 60;

/// The user of a connection that has authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user.
    pub user: UserId,
    /// The session or API key by which the connection authenticated.
    pub credential: Credential,
    /// The version of the user's tokens at that time.
    pub token_version: u64,
    /// When the token or API key expires, in seconds since the epoch. Nothing is pushed after that.
    pub token_ends: u64,
}

impl Owner {
    /// Whether the token is valid at `now`.
    #[must_use]
    pub fn is_valid_at(&self, now: Millis) -> bool {
        TokenEnd(self.token_ends).is_after(now)
    }

    /// Whether the token expired so long ago that the connection must be closed.
    #[must_use]
    pub fn is_overdue_at(&self, now: Millis) -> bool {
        TokenEnd(self.token_ends).is_overdue_at(now)
    }
}

/// When a token expires, in seconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct TokenEnd(pub u64);

impl TokenEnd {
    /// Whether the token is still valid at `now`.
    #[must_use]
    pub fn is_after(self, now: Millis) -> bool {
        self.0 > now.seconds()
    }

    /// Whether the time in which a client could send a new token is over.
    #[must_use]
    pub fn is_overdue_at(self, now: Millis) -> bool {
        self.0.saturating_add(GRACE_SECONDS) <= now.seconds()
    }
}
