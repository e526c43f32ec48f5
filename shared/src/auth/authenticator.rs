//! The gate: from a token or an API key to the caller, with a consistent look at the user at most every four seconds.

use std::sync::Arc;

use super::{Claims, Keyring, Tokens, TtlCache, hash_opaque};
use crate::clock;
use crate::domain::{Credential, KeyId, Millis, Owner, User, UserId};
use crate::error::{Code, Error, Result};
use crate::store::{KeyOwner, Store};

/// What API keys begin with, by which secret scanners know them.
pub const API_KEY_PREFIX: &str = "sk-studio-";

/// An ended session is refused everywhere within 5 s, so a look at a user counts for 4 s by the wall clock (a
/// frozen instance's monotonic clock stands still).
const TRUSTED_MILLIS: u64 = 4000;
/// How often an instance says that an API key was used.
const TOUCHED_SECONDS: u64 = 300;

/// Who is asking, proven by a token or an API key.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// By what the user is known.
    pub credential: Credential,
    /// The version of the user's tokens.
    pub token_version: u64,
    /// When the token or the key ends, in seconds since the epoch.
    pub expires_at: u64,
}

impl From<Caller> for Owner {
    fn from(caller: Caller) -> Self {
        Self {
            user: caller.user,
            credential: caller.credential,
            token_version: caller.token_version,
            token_ends: caller.expires_at,
        }
    }
}

/// Why a token does not count.
#[derive(Debug)]
pub enum AuthError {
    /// It is not ours, damaged, over, or was revoked.
    BadToken,
    /// It was good, but its user is gone.
    UserGone,
    /// We could not find out.
    Failed(Error),
}

impl From<AuthError> for Error {
    fn from(refusal: AuthError) -> Self {
        match refusal {
            AuthError::BadToken | AuthError::UserGone => {
                Self::new(Code::Unauthenticated, "Could not validate credentials")
            }
            AuthError::Failed(error) => error,
        }
    }
}

/// Lets callers in whose token or key counts.
pub struct Authenticator {
    tokens: Tokens,
    keyring: Arc<Keyring>,
    store: Store,
    users: TtlCache<UserId, Arc<User>>,
    keys: TtlCache<String, KeyOwner>,
    touched: TtlCache<KeyId, ()>,
}

impl Authenticator {
    /// A gate for tokens of `tokens` signed with keys of `keyring`, and users of `store`.
    #[must_use]
    pub fn new(tokens: Tokens, keyring: Arc<Keyring>, store: Store) -> Self {
        let (users, keys, touched) = (TtlCache::default(), TtlCache::default(), TtlCache::default());
        Self { tokens, keyring, store, users, keys, touched }
    }

    /// The caller who holds `token`, an access token or an API key, and the user as seen in the last four seconds.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn admit(&self, token: &str) -> Result<(Caller, Arc<User>), AuthError> {
        let now = clock::now();
        let caller = self.caller(token, now).await?;
        let user = self.user_with(caller.user, caller.credential, caller.token_version, now).await?;
        Ok((caller, user))
    }

    /// The caller who holds `token`, and the user as read for this request: a credential that was revoked before it is
    /// refused, which [`Self::admit`] may do up to four seconds late.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn admit_now(&self, token: &str) -> Result<(Caller, Arc<User>), AuthError> {
        let now = clock::now();
        let caller = self.caller(token, now).await?;
        let user = self.read_user(caller.user, now).await?;
        if !user.has(caller.credential, caller.token_version) {
            return Err(AuthError::BadToken);
        }
        Ok((caller, user))
    }

    async fn caller(&self, token: &str, now: Millis) -> Result<Caller, AuthError> {
        if token.starts_with(API_KEY_PREFIX) {
            return self.owner_of_key(token, now).await;
        }
        let claims = self.verify(token, now).await.ok_or(AuthError::BadToken)?;
        Ok(Caller {
            user: claims.sub,
            credential: Credential::Session(claims.sid),
            token_version: claims.ver,
            expires_at: claims.exp,
        })
    }

    async fn verify(&self, token: &str, now: Millis) -> Option<Claims> {
        let key_id = Tokens::key_id(token)?;
        let keys = self.keyring.keys_with(&key_id).await;
        self.tokens.verify(keys.find(&key_id)?, token, now)
    }

    async fn owner_of_key(&self, secret: &str, now: Millis) -> Result<Caller, AuthError> {
        let hash = hash_opaque(secret);
        let found = match self.keys.recent(&hash, now, TRUSTED_MILLIS) {
            Some(known) => known,
            None => {
                let found = self.store.find_key_owner(&hash).await.map_err(AuthError::Failed)?;
                let found = found.ok_or(AuthError::BadToken)?;
                self.keys.remember(hash, found, now);
                found
            }
        };
        if found.expires_at.is_some_and(|end| end <= now) {
            return Err(AuthError::BadToken);
        }
        if self.touched.recent(&found.key, now, TOUCHED_SECONDS * 1000).is_none() {
            self.touched.remember(found.key, (), now);
            self.store.touch_key(found.user, found.key, now).await.map_err(AuthError::Failed)?;
        }
        Ok(Caller {
            user: found.user,
            credential: Credential::Key(found.key),
            // A key is of no version: what ends all sessions leaves it.
            token_version: 0,
            expires_at: found.expires_at.map_or(u64::from(u32::MAX), Millis::seconds),
        })
    }

    /// Makes sure that what a connection was authenticated by still counts, and gives its user.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn check_credential(&self, owner: &Owner) -> Result<Arc<User>, AuthError> {
        self.user_with(owner.user, owner.credential, owner.token_version, clock::now()).await
    }

    async fn user_with(
        &self,
        id: UserId,
        credential: Credential,
        token_version: u64,
        now: Millis,
    ) -> Result<Arc<User>, AuthError> {
        let counts = |user: &Arc<User>| user.has(credential, token_version);
        // A session younger than the view is not in it, so a view can only admit: to refuse takes a look.
        if let Some(user) = self.users.recent(&id, now, TRUSTED_MILLIS).filter(counts) {
            return Ok(user);
        }
        let user = self.read_user(id, now).await?;
        Some(user).filter(counts).ok_or(AuthError::BadToken)
    }

    async fn read_user(&self, id: UserId, now: Millis) -> Result<Arc<User>, AuthError> {
        let user = self.store.find_user(id).await.map_err(AuthError::Failed)?.ok_or(AuthError::UserGone)?;
        let user = Arc::new(user);
        self.users.remember(id, Arc::clone(&user), now);
        Ok(user)
    }
}
