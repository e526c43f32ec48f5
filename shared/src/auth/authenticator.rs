//! Finds the caller that an access token or an API key belongs to. The user's item is read consistently, at most once
//! in four seconds.

use std::sync::Arc;

use super::{Claims, Keyring, Tokens, TtlCache, hash_opaque};
use crate::clock;
use crate::domain::{Credential, KeyId, Millis, Owner, User, UserId};
use crate::error::{Code, Error, Result};
use crate::store::{KeyOwner, Store};

/// The prefix of API keys, by which secret scanners recognise them.
pub const API_KEY_PREFIX: &str = "sk-studio-";

/// How long a cached user is trusted. Revocation must take effect within 5 s. The wall clock measures it, because the
/// monotonic clock stops while an instance is frozen.
const TRUSTED_MILLIS: u64 = 4000;
/// How often an instance stores that an API key was used.
const TOUCH_SECONDS: u64 = 300;

/// An authenticated caller.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The session or the API key that authenticated the user.
    pub credential: Credential,
    /// The version of the user's tokens.
    pub token_version: u64,
    /// When the token or the key expires, in seconds since 1970.
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

/// Why a caller is not authenticated.
#[derive(Debug)]
pub enum AuthError {
    /// The token is forged, damaged, expired or revoked.
    BadToken,
    /// The token is valid, but its user has been deleted.
    UserGone,
    /// The check itself failed.
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

/// Authenticates callers by their access tokens or API keys.
pub struct Authenticator {
    tokens: Tokens,
    keyring: Arc<Keyring>,
    store: Store,
    users: TtlCache<UserId, Arc<User>>,
    keys: TtlCache<String, KeyOwner>,
    touched: TtlCache<KeyId, ()>,
}

impl Authenticator {
    /// Creates an authenticator for tokens signed with a key of `keyring`, and for the users of `store`.
    #[must_use]
    pub fn new(tokens: Tokens, keyring: Arc<Keyring>, store: Store) -> Self {
        let (users, keys, touched) = (TtlCache::default(), TtlCache::default(), TtlCache::default());
        Self { tokens, keyring, store, users, keys, touched }
    }

    /// The caller that `token`, an access token or an API key, belongs to, and the user as read in the last four
    /// seconds.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn admit(&self, token: &str) -> Result<(Caller, Arc<User>), AuthError> {
        let now = clock::now();
        let caller = self.caller(token, now).await?;
        let user = self.user_with(caller.user, caller.credential, caller.token_version, now).await?;
        Ok((caller, user))
    }

    /// The caller that `token` belongs to, and the user as read now. A revoked credential is refused at once, whereas
    /// [`Self::admit`] may accept it for another four seconds.
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
        let owner = match self.keys.get(&hash, now, TRUSTED_MILLIS) {
            Some(known) => known,
            None => {
                let found = self.store.find_key_owner(&hash).await.map_err(AuthError::Failed)?;
                let owner = found.ok_or(AuthError::BadToken)?;
                self.keys.insert(hash, owner, now);
                owner
            }
        };
        if owner.expires_at.is_some_and(|end| end <= now) {
            return Err(AuthError::BadToken);
        }
        if self.touched.get(&owner.key, now, TOUCH_SECONDS * 1000).is_none() {
            self.touched.insert(owner.key, (), now);
            self.store.touch_key(owner.user, owner.key, now).await.map_err(AuthError::Failed)?;
        }
        Ok(Caller {
            user: owner.user,
            credential: Credential::Key(owner.key),
            // API keys have no version: they outlive the end of all sessions.
            token_version: 0,
            expires_at: owner.expires_at.map_or(u64::from(u32::MAX), Millis::seconds),
        })
    }

    /// Checks that the credential that authenticated a connection is still valid, and returns its user.
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
        let is_valid = |user: &Arc<User>| user.has(credential, token_version);
        // The cached user may be older than the session, so only a fresh read can refuse it.
        if let Some(user) = self.users.get(&id, now, TRUSTED_MILLIS).filter(is_valid) {
            return Ok(user);
        }
        let user = self.read_user(id, now).await?;
        Some(user).filter(is_valid).ok_or(AuthError::BadToken)
    }

    async fn read_user(&self, id: UserId, now: Millis) -> Result<Arc<User>, AuthError> {
        let user = self.store.find_user(id).await.map_err(AuthError::Failed)?.ok_or(AuthError::UserGone)?;
        let user = Arc::new(user);
        self.users.insert(id, Arc::clone(&user), now);
        Ok(user)
    }
}
