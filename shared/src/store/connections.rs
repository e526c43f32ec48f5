//! WebSocket connections, found by their id and by their user.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::dynamo::{Expression, KeyRange, Write, from_item, item_at, number, text, to_item};
use super::{Store, key};
use crate::domain::{ClaimedUser, ConnectionId, Credential, Millis, Owner, TokenEnd, UserId};
use crate::error::{Code, Error, Result};
use crate::retry;

/// Rows outlive their connection at most by this.
const KEPT_SECONDS: u64 = 2 * 3600;

/// A connection that watches its user's replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watcher {
    /// As API Gateway names it.
    pub connection: ConnectionId,
    /// When its token ends, in seconds: nothing is pushed after that.
    pub token_ends: u64,
    /// When it was opened.
    pub connected_at: Millis,
}

/// A user's connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserConnections {
    /// Those whose tokens last.
    pub watching: Vec<Watcher>,
    /// Those that should have authenticated again by now, and are to be closed.
    pub overdue: Vec<ConnectionId>,
}

/// A WebSocket connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// As API Gateway names it.
    pub id: ConnectionId,
    /// When it was opened.
    pub connected_at: Millis,
    /// The user that the address named (`/ws/{user_id}`): nobody else may authenticate here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_user: Option<ClaimedUser>,
    /// Whether it is known to be open. Before its connect route has answered, it looks as if it were gone.
    #[serde(default)]
    pub open: bool,
    /// Nobody, before it is authenticated.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

impl Connection {
    /// Whether its address is open to `user`.
    #[must_use]
    pub fn claims_allow(&self, user: UserId) -> bool {
        self.claimed_user.is_none_or(|claimed| claimed.allows(user))
    }

    /// Whether a token of `user` may authenticate it.
    #[must_use]
    pub fn may_belong_to(&self, user: UserId) -> bool {
        self.claims_allow(user) && self.owner.is_none_or(|owner| owner.user == user)
    }

    /// Its owner, while the token lasts.
    #[must_use]
    pub fn owner_at(&self, now: Millis) -> Option<Owner> {
        self.owner.filter(|owner| owner.is_valid_at(now))
    }

    fn gone_at(&self) -> u64 {
        self.connected_at.plus_seconds(KEPT_SECONDS).seconds()
    }
}

impl Store {
    /// Keeps a connection that was just opened. With an owner, only while the owner's session lives.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when the session ended meanwhile.
    pub async fn create_connection(&self, connection: &Connection) -> Result<()> {
        let mut item = item_at(key::connection(&connection.id), "connection", connection)?;
        item.insert("expires_at".to_owned(), number(connection.gone_at()));
        let Some(owner) = connection.owner else { return self.put(&self.connections, item).await };
        let mut writes = vec![Write::put(&self.connections, item)];
        writes.extend(self.ownership(connection, owner)?);
        if self.transact(writes).await?.is_committed() { Ok(()) } else { Err(revoked()) }
    }

    /// Gives an open connection to its owner, only while the owner's session lives. Again, for the same user, it renews
    /// how long the token lasts.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when the session ended meanwhile, or the connection is gone or somebody
    /// else's.
    pub async fn authenticate_connection(&self, id: &ConnectionId, owner: Owner) -> Result<()> {
        // Two frames may do this at once; the one that comes second finds the connection owned.
        let mut attempts = retry::HOT_ITEM.attempts();
        while attempts.next().await {
            let connection = self.find_connection(id).await?;
            let connection =
                connection.filter(|found| found.may_belong_to(owner.user)).ok_or_else(revoked)?;
            if self.transact(self.authentication(&connection, owner)?).await?.is_committed() {
                return Ok(());
            }
        }
        Err(revoked())
    }

    fn authentication(&self, connection: &Connection, owner: Owner) -> Result<Vec<Write>> {
        let mut expression = Expression::default().when_exists("pk");
        for (name, value) in to_item(&owner)? {
            expression = expression.set(&name, value);
        }
        let row = key::connection(&connection.id);
        if connection.owner.is_none() {
            // It sent a frame, so it is open.
            let expression = expression.set("open", AttributeValue::Bool(true));
            let mut writes = vec![Write::update(&self.connections, row, expression.when_absent("user"))];
            writes.extend(self.ownership(connection, owner)?);
            return Ok(writes);
        }
        // A new token of the same user: the row by user and the count are there.
        let by_user = key::user_connection(owner.user, &connection.id);
        let renewed = Expression::default()
            .when_exists("pk")
            .set("token_ends", number(owner.token_ends))
            .set("credential", text(owner.credential.to_string()));
        Ok(vec![
            Write::update(&self.connections, row, expression),
            Write::update(&self.connections, by_user, renewed),
            self.credential_counts(owner.user, owner.credential, owner.token_version),
        ])
    }

    /// The writes by which a connection belongs to somebody, besides those on its own row.
    fn ownership(&self, connection: &Connection, owner: Owner) -> Result<[Write; 3]> {
        let Owner { credential, token_ends, .. } = owner;
        let (id, connected_at) = (connection.id.clone(), connection.connected_at);
        let row = Row { id, credential, token_ends, connected_at };
        let mut item = item_at(key::user_connection(owner.user, &connection.id), "user_connection", &row)?;
        item.insert("expires_at".to_owned(), number(connection.gone_at()));
        Ok([
            Write::put(&self.connections, item),
            self.count_connection(connection.connected_at, 1),
            self.credential_counts(owner.user, owner.credential, owner.token_version),
        ])
    }

    /// The connection with this id, read consistently.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn find_connection(&self, id: &ConnectionId) -> Result<Option<Connection>> {
        self.get_item(&self.connections, key::connection(id)).await?.map(from_item).transpose()
    }

    /// The connections of `user`, read consistently: those whose tokens last at `now`, and those that had their time to
    /// authenticate again.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn connections_of(&self, user: UserId, now: Millis) -> Result<UserConnections> {
        let mut windows = UserConnections::default();
        for row in self.rows_of_user(user).await? {
            let token = TokenEnd(row.token_ends);
            if token.is_after(now) {
                let (connection, connected_at) = (row.id, row.connected_at);
                windows.watching.push(Watcher { connection, token_ends: row.token_ends, connected_at });
            } else if token.is_overdue_at(now) {
                windows.overdue.push(row.id);
            }
        }
        Ok(windows)
    }

    /// The connections of `user` that authenticated with one of these credentials, read consistently.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn connections_with(
        &self,
        user: UserId,
        credentials: impl Fn(Credential) -> bool,
    ) -> Result<Vec<ConnectionId>> {
        let rows = self.rows_of_user(user).await?.into_iter();
        Ok(rows.filter(|row| credentials(row.credential)).map(|row| row.id).collect())
    }

    async fn rows_of_user(&self, user: UserId) -> Result<Vec<Row>> {
        let (from, to) = (key::USER_CONNECTIONS, key::AFTER_USER_CONNECTIONS);
        let items =
            self.query(&KeyRange::new(&self.connections, key::user_partition(user), from, to)).await?;
        items.into_iter().map(from_item::<Row>).collect()
    }

    /// Remembers that a connection is open. False when it is forgotten: it was closed before it opened.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn mark_open(&self, id: &ConnectionId) -> Result<bool> {
        let open = Expression::default().set("open", AttributeValue::Bool(true)).when_exists("pk");
        // Nothing else changes with it, and a transaction would cost twice as much.
        Ok(self.update_connection(key::connection(id), &open).await?.is_some())
    }

    /// Forgets a connection that ended, and says what it was. A second time does nothing.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn delete_connection(&self, id: &ConnectionId) -> Result<Option<Connection>> {
        // It may be authenticated between the look and the deletion; then the look is taken again.
        let mut attempts = retry::HOT_ITEM.attempts();
        while attempts.next().await {
            let Some(connection) = self.find_connection(id).await? else { return Ok(None) };
            if self.transact(self.farewell(&connection)).await?.is_committed() {
                return Ok(Some(connection));
            }
        }
        Err(Error::unavailable("a connection kept changing while it was deleted"))
    }

    fn farewell(&self, connection: &Connection) -> Vec<Write> {
        let row = key::connection(&connection.id);
        let Some(owner) = connection.owner else {
            let unchanged = Expression::default().when_exists("pk").when_absent("user");
            return vec![Write::delete(&self.connections, row, unchanged)];
        };
        let unchanged = Expression::default().when_equal("user", text(owner.user.to_string()));
        let by_user = key::user_connection(owner.user, &connection.id);
        vec![
            Write::delete(&self.connections, row, unchanged),
            Write::delete(&self.connections, by_user, Expression::default()),
            self.count_connection(connection.connected_at, -1),
        ]
    }
}

/// The row that finds a connection by its user.
#[derive(Serialize, Deserialize)]
struct Row {
    id: ConnectionId,
    credential: Credential,
    token_ends: u64,
    /// Rows of connections that were open before it was kept have none, and count as the oldest.
    #[serde(default)]
    connected_at: Millis,
}

fn revoked() -> Error {
    Error::new(Code::Unauthenticated, "Could not validate credentials")
}
