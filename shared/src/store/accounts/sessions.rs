//! Sessions. A session is live while the user's item lists its id. Each session also has an item of its own with its
//! refresh token. That item is ignored unless the user's item lists its id.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::{Deserialize, Serialize};

use super::own_account::NotWritten;
use super::refresh_rotation::UsedToken;
use super::user_item::UserItem;
use crate::domain::accounts::session::{Session, ends_at};
use crate::domain::{LoggedIn, Millis, Network, SecondFactor, SessionId, User, UserId};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::dynamo::{
    Expression, Item, KeyRange, Updated, Write, failed, from_item, ids, item_at, number, text,
};
use crate::store::{Store, key};

/// The most sessions of a user. A further login ends the session that was used longest ago.
const MOST_SESSIONS: usize = 50;

/// A new session.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The session.
    pub session: Session,
    /// The hash of its first refresh token.
    pub refresh_hash: String,
}

/// The outcome of creating a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOutcome {
    /// Whether the session was created; false when the user's credentials changed meanwhile.
    pub is_begun: bool,
    /// The sessions that were ended to make room.
    pub ended: Vec<SessionId>,
}

/// What a login proved or changed besides the password.
#[derive(Clone, Debug, Default)]
pub struct CredentialProof {
    /// A stronger hash of the same password, which replaces the stored one.
    pub stronger_hash: Option<String>,
    /// The second factor that the login presented.
    pub second_factor: Option<SecondFactor>,
}

impl CredentialProof {
    fn change(&self) -> Expression {
        let stronger_hash = self.stronger_hash.clone().map(text);
        let change = Expression::default().set_or_keep("password_hash", stronger_hash);
        match &self.second_factor {
            None => change,
            Some(SecondFactor::Step(step)) => {
                change.set("totp_step", number(step)).when_less("totp_step", number(step))
            }
            Some(SecondFactor::Recovery(hash)) => {
                let member = ids([hash.clone()]);
                change.delete_from_set("recovery", member).when_contains("recovery", text(hash))
            }
        }
    }

    /// Whether the proof is still valid for `user`, which was read again. `seen` is the user for whom the proof was
    /// made.
    fn still_holds(&self, user: &User, seen: &User) -> bool {
        let unused = match &self.second_factor {
            None => true,
            Some(SecondFactor::Step(step)) => user.totp.as_ref().is_some_and(|totp| totp.last_step < *step),
            Some(SecondFactor::Recovery(hash)) => user.recovery_hashes.contains(hash),
        };
        unused && user.password_hash == seen.password_hash && user.token_version == seen.token_version
    }
}

/// The item of a new session. The user's own item must name the session too.
pub(in crate::store) fn session_item(user: UserId, new: &NewSession) -> Result<Item> {
    let session = &new.session;
    let item = SessionItem {
        id: session.id,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        address: session.address.clone(),
        user_agent: session.user_agent.clone(),
        refresh_hash: new.refresh_hash.clone(),
        used: Vec::new(),
        expires_at: ends_at(session.created_at, session.last_used_at).seconds(),
    };
    item_at(key::session(user, session.id), "session", &item)
}

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct SessionItem {
    id: SessionId,
    created_at: Millis,
    last_used_at: Millis,
    address: String,
    user_agent: String,
    pub(in crate::store) refresh_hash: String,
    /// Earlier tokens that may still be repeated, in the order of their use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::store) used: Vec<UsedToken>,
    expires_at: u64,
}

impl SessionItem {
    pub(in crate::store) fn is_live(&self, now: Millis) -> bool {
        self.expires_at > now.seconds()
    }
}

impl From<SessionItem> for Session {
    fn from(item: SessionItem) -> Self {
        Self {
            id: item.id,
            created_at: item.created_at,
            last_used_at: item.last_used_at,
            address: item.address,
            user_agent: item.user_agent,
        }
    }
}

impl Store {
    /// Creates a session of `user`, on condition that the password, the token version and the presented second factor
    /// are still valid. Beyond 50 sessions, the ones that were used longest ago are ended.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn create_session(
        &self,
        user: &User,
        new: &NewSession,
        proof: &CredentialProof,
    ) -> Result<SessionOutcome> {
        // The session's item means nothing until the user's own item names it, so the two writes need no transaction.
        self.put(&self.studio, session_item(user.id, new)?).await?;
        let id = new.session.id;
        let with_session = proof
            .change()
            .add_to_set("sessions", ids([id.to_string()]))
            // The password was correct, so its failures are forgotten.
            .remove("failures")
            .remove("failed_at")
            // The password must not have changed meanwhile.
            .when_equal("password_hash", text(user.password_hash.clone()))
            .when_equal("token_version", number(user.token_version))
            .when_absent_or_fewer("sessions", number(MOST_SESSIONS));
        let mut ended = Vec::new();
        let mut attempts = retry::HOT_ITEM.attempts();
        while attempts.next().await {
            let refused = match self.try_update(key::user(user.id), &with_session, ReturnValue::None).await? {
                Updated::Done(_) => return Ok(SessionOutcome { is_begun: true, ended }),
                Updated::Refused(item) => item.map(from_item::<UserItem>).transpose()?.map(User::from),
            };
            match refused {
                // An earlier attempt succeeded, but its answer was lost.
                Some(current) if current.sessions.contains(&id) => {
                    return Ok(SessionOutcome { is_begun: true, ended });
                }
                // One update cannot both add to a set and delete from it, so another session is ended by its own write.
                Some(current)
                    if current.sessions.len() >= MOST_SESSIONS && proof.still_holds(&current, user) =>
                {
                    ended.extend(self.end_least_used_session(&current).await?);
                }
                _ => break,
            }
        }
        self.delete_session_item(user.id, id).await?;
        Ok(SessionOutcome { is_begun: false, ended })
    }

    async fn end_least_used_session(&self, user: &User) -> Result<Option<SessionId>> {
        let ended = self.least_used_session(user).await?;
        if let Some(ended) = ended {
            self.end_session(user.id, ended).await?;
        }
        Ok(ended)
    }

    /// The session that was used longest ago. A session whose item has expired comes first.
    async fn least_used_session(&self, user: &User) -> Result<Option<SessionId>> {
        let items = self.session_items(user.id).await?;
        let used =
            |session: &SessionId| items.iter().find(|item| item.id == *session).map(|item| item.last_used_at);
        Ok(user.sessions.iter().copied().min_by_key(used))
    }

    /// Ends a session: its tokens become invalid. Ending it again does nothing.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn end_session(&self, user: UserId, session: SessionId) -> Result<()> {
        let without_session =
            Expression::default().delete_from_set("sessions", ids([session.to_string()])).when_exists("pk");
        let writes = vec![
            Write::delete(&self.studio, key::session(user, session), Expression::default()),
            Write::update(&self.studio, key::user(user), without_session),
        ];
        // A refusal means that the account was deleted, with all its sessions.
        self.transact(writes).await?;
        Ok(())
    }

    /// Ends a session of the user who is logged in: the caller's own session or another one.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the user has no such session; [`Code::Unauthenticated`] when the caller's session was
    /// revoked meanwhile.
    pub async fn end_own_session(&self, by: &LoggedIn, session: SessionId) -> Result<()> {
        let id = session.to_string();
        let without_session = Expression::default()
            .delete_from_set("sessions", ids([id.clone()]))
            .when_contains("sessions", text(id));
        let item = Write::delete(&self.studio, key::session(by.user().id, session), Expression::default());
        let ended = self.change_own_account(by, without_session, vec![item]).await?;
        ended.map_err(|_absent| Error::new(Code::NotFound, "Session not found"))
    }

    /// Ends all sessions of the user who is logged in and raises the token version, so that all access tokens become
    /// invalid.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when the session was revoked meanwhile.
    pub async fn end_all_sessions(&self, by: &LoggedIn) -> Result<()> {
        let ended = Expression::default().remove("sessions").add("token_version", 1);
        let written = self.change_own_account(by, ended, Vec::new()).await?;
        written.map_err(|_changed| NotWritten::conflict())?;
        // Only the items of sessions that were ended: the user may have logged in again meanwhile.
        self.delete_session_items(by.user().id, |session| by.user().sessions.contains(&session)).await
    }

    /// Deletes the items of sessions that the user's own item no longer names. Such sessions are refused already, and
    /// their items expire, so a failure here does no harm.
    pub(in crate::store) async fn delete_session_items(
        &self,
        user: UserId,
        ended: impl Fn(SessionId) -> bool,
    ) -> Result<()> {
        for item in self.session_items(user).await?.iter().filter(|item| ended(item.id)) {
            self.delete_session_item(user, item.id).await?;
        }
        Ok(())
    }

    async fn delete_session_item(&self, user: UserId, session: SessionId) -> Result<()> {
        let request = self.client.delete_item().table_name(&self.studio);
        let key = key::session(user, session).attributes();
        request.set_key(Some(key)).send().await.map_err(failed)?;
        Ok(())
    }

    /// Lists the sessions of a user that are live at `now`, newest first.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn list_sessions(&self, user: &User, now: Millis) -> Result<Vec<Session>> {
        let items = self.session_items(user.id).await?;
        let live = items.into_iter().filter(|item| item.is_live(now) && user.sessions.contains(&item.id));
        let mut sessions: Vec<Session> = live.map(Session::from).collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.id));
        Ok(sessions)
    }

    /// Whether a live session of this user began in this network. Takes the same time for a user that does not exist,
    /// so that the time does not reveal which users exist.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn has_session_from(
        &self,
        user: Option<&User>,
        network: &Network,
        now: Millis,
    ) -> Result<bool> {
        let id = user.map_or_else(|| UserId::new(ulid::Ulid::nil()), |user| user.id);
        let items = self.session_items(id).await?;
        let mut live = items
            .iter()
            .filter(|item| item.is_live(now) && user.is_some_and(|user| user.sessions.contains(&item.id)));
        Ok(live.any(|item| Network::of(&item.address) == *network))
    }

    async fn session_items(&self, user: UserId) -> Result<Vec<SessionItem>> {
        let (from, to) = (key::SESSIONS, key::AFTER_SESSIONS);
        let items = self.query(&KeyRange::new(&self.studio, key::user_partition(user), from, to)).await?;
        items.into_iter().map(from_item).collect()
    }
}
