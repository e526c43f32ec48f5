//! The gate: from a token to the caller, with a consistent look at the user at most every four seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Claims, Keyring, Tokens};
use crate::clock;
use crate::domain::{Millis, SessionId, User, UserId};
use crate::error::{Code, Error, Result};
use crate::store::{Owner, Store};

/// An ended session is refused everywhere within 5 s, so a look at a user counts for 4 s by the wall clock (a
/// frozen instance's monotonic clock stands still).
const TRUSTED_MILLIS: u64 = 4000;
/// More users than this at once on one instance only cost it some reads.
const REMEMBERED: usize = 1000;

/// Who is asking, proven by a token.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The version of the user's tokens.
    pub token_version: u64,
    /// When the token ends, in seconds since the epoch.
    pub expires_at: u64,
}

impl From<Caller> for Owner {
    fn from(caller: Caller) -> Self {
        Self {
            user: caller.user,
            session: caller.session,
            token_version: caller.token_version,
            token_ends: caller.expires_at,
        }
    }
}

/// Why a token does not count.
#[derive(Debug)]
pub enum Refusal {
    /// It is not ours, damaged, over, or was revoked.
    BadToken,
    /// It was good, but its user is gone.
    UserGone,
    /// We could not find out.
    Failed(Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadToken | Refusal::UserGone => {
                Self::new(Code::Unauthenticated, "Could not validate credentials")
            }
            Refusal::Failed(error) => error,
        }
    }
}

/// Lets callers in whose token counts.
pub struct Gate {
    tokens: Tokens,
    keyring: Arc<Keyring>,
    store: Store,
    views: Mutex<HashMap<UserId, View>>,
}

/// A user as seen at some moment.
struct View {
    seen_at: Millis,
    user: Arc<User>,
}

impl Gate {
    /// A gate for tokens of `tokens` signed with keys of `keyring`, and users of `store`.
    #[must_use]
    pub fn new(tokens: Tokens, keyring: Arc<Keyring>, store: Store) -> Self {
        Self { tokens, keyring, store, views: Mutex::default() }
    }

    /// The caller who holds `token`, and the user as seen in the last four seconds.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn admit(&self, token: &str) -> Result<(Caller, Arc<User>), Refusal> {
        let now = clock::now();
        let claims = self.verify(token, now).await.ok_or(Refusal::BadToken)?;
        let user = self.user_in(claims.sub, claims.sid, claims.ver, now).await?;
        let caller = Caller {
            user: claims.sub,
            session: claims.sid,
            token_version: user.token_version,
            expires_at: claims.exp,
        };
        Ok((caller, user))
    }

    async fn verify(&self, token: &str, now: Millis) -> Option<Claims> {
        let key_id = Tokens::key_id(token)?;
        let keys = self.keyring.keys_with(&key_id).await;
        self.tokens.verify(keys.find(&key_id)?, token, now)
    }

    /// Makes sure that the session in which a connection was authenticated still lives.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn check_session(&self, owner: &Owner) -> Result<(), Refusal> {
        self.user_in(owner.user, owner.session, owner.token_version, clock::now()).await?;
        Ok(())
    }

    async fn user_in(
        &self,
        id: UserId,
        session: SessionId,
        token_version: u64,
        now: Millis,
    ) -> Result<Arc<User>, Refusal> {
        let lives =
            |user: &Arc<User>| token_version == user.token_version && user.sessions.contains(&session);
        // A session younger than the view is not in it, so a view can only admit: to refuse takes a look.
        if let Some(user) = self.recent_view(id, now).filter(lives) {
            return Ok(user);
        }
        Some(self.look(id, now).await?).filter(lives).ok_or(Refusal::BadToken)
    }

    async fn look(&self, id: UserId, now: Millis) -> Result<Arc<User>, Refusal> {
        let user = self.store.find_user(id).await.map_err(Refusal::Failed)?.ok_or(Refusal::UserGone)?;
        let user = Arc::new(user);
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if views.len() >= REMEMBERED {
            views.clear();
        }
        views.insert(id, View { seen_at: now, user: Arc::clone(&user) });
        drop(views);
        Ok(user)
    }

    fn recent_view(&self, id: UserId, now: Millis) -> Option<Arc<User>> {
        let views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let view = views.get(&id)?;
        // A clock that was set back must not make a view last.
        let fresh = now >= view.seen_at && now.get() - view.seen_at.get() < TRUSTED_MILLIS;
        fresh.then(|| Arc::clone(&view.user))
    }
}
