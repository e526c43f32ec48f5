//! WebSocket connections, found by their id and by their user.
//!
//! A connection has an item by its id, written by the connect route. Once it has authenticated, it also has an item in
//! its user's partition, and is counted in the totals. Both items carry a TTL, so a disconnect that never arrives
//! leaves nothing for longer than two hours.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::dynamo::{Expression, KeyRange, Write, from_item, item_at, number, text, to_item};
use super::{Store, key};
use crate::domain::{ClaimedUser, ConnectionId, Credential, Millis, Owner, TokenEnd, UserId};
use crate::error::{Code, Error, Result};
use crate::retry;

/// How long after a connection was opened its items expire. API Gateway closes each connection after two hours.
const KEPT_SECONDS: u64 = 2 * 3600;

/// An authenticated connection, to which its user's replies are pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watcher {
    /// The id that API Gateway gave the connection.
    pub connection: ConnectionId,
    /// When its token expires, in seconds since the epoch. Nothing is pushed after that.
    pub token_ends: u64,
    /// When it was opened.
    pub connected_at: Millis,
}

/// The authenticated connections of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserConnections {
    /// The connections whose tokens are valid.
    pub watching: Vec<Watcher>,
    /// The connections whose tokens expired so long ago that they must be closed.
    pub overdue: Vec<ConnectionId>,
}

/// A WebSocket connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The id that API Gateway gave the connection.
    pub id: ConnectionId,
    /// When it was opened.
    pub connected_at: Millis,
    /// The user that the URL named (`/ws/{user_id}`), if any. Only that user may authenticate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_user: Option<ClaimedUser>,
    /// Whether the connection is known to be open. Until its connect route has answered, API Gateway reports it as
    /// gone.
    #[serde(default)]
    pub open: bool,
    /// The owner; `None` before the connection has authenticated.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

impl Connection {
    /// Whether the URL of the connection allows `user` to authenticate.
    #[must_use]
    pub fn claims_allow(&self, user: UserId) -> bool {
        self.claimed_user.is_none_or(|claimed| claimed.allows(user))
    }

    /// Whether a token of `user` may authenticate the connection: its URL allows the user, and no other user owns it.
    #[must_use]
    pub fn may_belong_to(&self, user: UserId) -> bool {
        self.claims_allow(user) && self.owner.is_none_or(|owner| owner.user == user)
    }

    /// The owner, if the token is valid at `now`.
    #[must_use]
    pub fn owner_at(&self, now: Millis) -> Option<Owner> {
        self.owner.filter(|owner| owner.is_valid_at(now))
    }

    fn expires_at(&self) -> u64 {
        self.connected_at.plus_seconds(KEPT_SECONDS).seconds()
    }
}

impl Store {
    /// Stores a connection that was just opened. If it has an owner, the owner's session or API key must still be
    /// valid.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when the owner's credential was revoked meanwhile.
    pub async fn create_connection(&self, connection: &Connection) -> Result<()> {
        let mut item = item_at(key::connection(&connection.id), "connection", connection)?;
        item.insert("expires_at".to_owned(), number(connection.expires_at()));
        let Some(owner) = connection.owner else { return self.put(&self.connections, item).await };
        let mut writes = vec![Write::put(&self.connections, item)];
        writes.extend(self.ownership_writes(connection, owner)?);
        if self.transact(writes).await?.is_committed() { Ok(()) } else { Err(revoked()) }
    }

    /// Makes `owner` the owner of an open connection, if the owner's credential is still valid. When the user already
    /// owns the connection, the expiry of the new token replaces the old one.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when the credential was revoked meanwhile, or when the connection is gone or belongs
    /// to another user.
    pub async fn authenticate_connection(&self, id: &ConnectionId, owner: Owner) -> Result<()> {
        // Two `auth` frames may be handled at the same time; the second attempt finds the owner that the first has set.
        let mut attempts = retry::HOT_ITEM.attempts();
        while attempts.next().await {
            let connection = self.find_connection(id).await?;
            let connection =
                connection.filter(|found| found.may_belong_to(owner.user)).ok_or_else(revoked)?;
            if self.transact(self.authentication_writes(&connection, owner)?).await?.is_committed() {
                return Ok(());
            }
        }
        Err(revoked())
    }

    fn authentication_writes(&self, connection: &Connection, owner: Owner) -> Result<Vec<Write>> {
        let mut expression = Expression::default().when_exists("pk");
        for (name, value) in to_item(&owner)? {
            expression = expression.set(&name, value);
        }
        let own_key = key::connection(&connection.id);
        if connection.owner.is_none() {
            // The connection sent a frame, so it is open.
            let expression = expression.set("open", AttributeValue::Bool(true));
            let mut writes = vec![Write::update(&self.connections, own_key, expression.when_absent("user"))];
            writes.extend(self.ownership_writes(connection, owner)?);
            return Ok(writes);
        }
        // The same user sent a new token: the item by user exists, and the connection is counted already.
        let by_user = key::user_connection(owner.user, &connection.id);
        let new_token = Expression::default()
            .when_exists("pk")
            .set("token_ends", number(owner.token_ends))
            .set("credential", text(owner.credential.to_string()));
        Ok(vec![
            Write::update(&self.connections, own_key, expression),
            Write::update(&self.connections, by_user, new_token),
            self.valid_credential_check(owner.user, owner.credential, owner.token_version),
        ])
    }

    /// The writes that give a connection an owner, except the one on the connection's own item. Creates the per-user
    /// item, counts the connection and checks the credential.
    fn ownership_writes(&self, connection: &Connection, owner: Owner) -> Result<[Write; 3]> {
        let Owner { credential, token_ends, .. } = owner;
        let (id, connected_at) = (connection.id.clone(), connection.connected_at);
        let attributes = UserConnectionItem { id, credential, token_ends, connected_at };
        let mut item =
            item_at(key::user_connection(owner.user, &connection.id), "user_connection", &attributes)?;
        item.insert("expires_at".to_owned(), number(connection.expires_at()));
        Ok([
            Write::put(&self.connections, item),
            self.count_connection(connection.connected_at, 1),
            self.valid_credential_check(owner.user, owner.credential, owner.token_version),
        ])
    }

    /// Finds a connection by its id, read consistently.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn find_connection(&self, id: &ConnectionId) -> Result<Option<Connection>> {
        self.find_raw_item(&self.connections, key::connection(id)).await?.map(from_item).transpose()
    }

    /// Lists the authenticated connections of `user`, read consistently: those whose tokens are valid at `now`, and
    /// those that are overdue. Connections that may still send a new token are in neither list.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn list_connections_of(&self, user: UserId, now: Millis) -> Result<UserConnections> {
        let mut connections = UserConnections::default();
        for item in self.user_connection_items(user).await? {
            let token = TokenEnd(item.token_ends);
            if token.is_after(now) {
                let (connection, connected_at) = (item.id, item.connected_at);
                connections.watching.push(Watcher { connection, token_ends: item.token_ends, connected_at });
            } else if token.is_overdue_at(now) {
                connections.overdue.push(item.id);
            }
        }
        Ok(connections)
    }

    /// Lists the connections of `user` that authenticated with a credential for which `credentials` is true, read
    /// consistently.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn list_connections_with(
        &self,
        user: UserId,
        credentials: impl Fn(Credential) -> bool,
    ) -> Result<Vec<ConnectionId>> {
        let rows = self.user_connection_items(user).await?.into_iter();
        Ok(rows.filter(|item| credentials(item.credential)).map(|item| item.id).collect())
    }

    async fn user_connection_items(&self, user: UserId) -> Result<Vec<UserConnectionItem>> {
        let (from, to) = (key::USER_CONNECTIONS, key::AFTER_USER_CONNECTIONS);
        let items =
            self.query(&KeyRange::new(&self.connections, key::user_partition(user), from, to)).await?;
        items.into_iter().map(from_item::<UserConnectionItem>).collect()
    }

    /// Marks a connection as open. False when it is no longer stored, because it was closed before its connect route
    /// answered.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn mark_connection_open(&self, id: &ConnectionId) -> Result<bool> {
        let open = Expression::default().set("open", AttributeValue::Bool(true)).when_exists("pk");
        // A transaction would cost twice as much, and nothing else has to change.
        Ok(self.update_connection(key::connection(id), &open).await?.is_some())
    }

    /// Deletes a connection that was closed and returns it. `None` when it was deleted before.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn delete_connection(&self, id: &ConnectionId) -> Result<Option<Connection>> {
        // If the connection authenticates between the read and the transaction, the transaction is refused and both are
        // repeated.
        let mut attempts = retry::HOT_ITEM.attempts();
        while attempts.next().await {
            let Some(connection) = self.find_connection(id).await? else { return Ok(None) };
            if self.transact(self.deletion_writes(&connection)).await?.is_committed() {
                return Ok(Some(connection));
            }
        }
        Err(Error::unavailable("a connection kept changing while it was deleted"))
    }

    fn deletion_writes(&self, connection: &Connection) -> Vec<Write> {
        let own_key = key::connection(&connection.id);
        let Some(owner) = connection.owner else {
            let unchanged = Expression::default().when_exists("pk").when_absent("user");
            return vec![Write::delete(&self.connections, own_key, unchanged)];
        };
        let unchanged = Expression::default().when_equal("user", text(owner.user.to_string()));
        let by_user = key::user_connection(owner.user, &connection.id);
        vec![
            Write::delete(&self.connections, own_key, unchanged),
            Write::delete(&self.connections, by_user, Expression::default()),
            self.count_connection(connection.connected_at, -1),
        ]
    }
}

/// The item of a connection in its user's partition.
#[derive(Serialize, Deserialize)]
struct UserConnectionItem {
    id: ConnectionId,
    credential: Credential,
    token_ends: u64,
    /// Absent in items that were written before this attribute was introduced; such connections count as the oldest.
    #[serde(default)]
    connected_at: Millis,
}

fn revoked() -> Error {
    Error::new(Code::Unauthenticated, "Could not validate credentials")
}
