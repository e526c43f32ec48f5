//! The WebSocket connections of users: pushing frames to them, and closing them.

use std::cmp::Reverse;

use aws_types::SdkConfig;
use futures_util::future::{BoxFuture, join_all};

use crate::clock;
use crate::domain::{ConnectionId, Credential, Millis, UserId};
use crate::error::{Code, Error, Result};
use crate::sockets::{Closing, Push, ServerFrame};
use crate::store::{Store, UserConnections, Watcher};

/// A connection opens once its connect route has answered, for which API Gateway waits 29 s.
const OPENS_WITHIN_SECONDS: u64 = 30;
/// How many connections a user may have open. A new one closes the oldest.
const MAX_CONNECTIONS: usize = 10;

/// The outcome of pushing a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// API Gateway has accepted the frame.
    Delivered,
    /// The connection is still being opened, so nothing can be pushed to it yet.
    NotOpen,
    /// The connection is gone, and its record is deleted.
    Gone,
}

/// The connections of all users. Cloning it is cheap.
#[derive(Clone)]
pub struct Connections {
    store: Store,
    push: Push,
}

impl Connections {
    /// The connections that `store` records, reached through the management endpoint of the WebSocket API.
    #[must_use]
    pub fn connect(aws: &SdkConfig, endpoint: String, store: Store) -> Self {
        Self { store, push: Push::connect(aws, endpoint) }
    }

    /// Pushes `frame` to one connection. Returns false when the connection is gone, or not open yet.
    ///
    /// # Errors
    /// When API Gateway does not answer in time.
    pub async fn push(&self, connection: &ConnectionId, frame: &ServerFrame) -> Result<bool> {
        self.push.frame(connection, frame).await
    }

    /// Pushes `frame` to the connection that is waiting for it as an answer. A failure is only logged.
    pub async fn answer(&self, connection: &ConnectionId, frame: &ServerFrame) {
        if let Err(error) = self.push(connection, frame).await {
            tracing::warn!(?error, "could not push an answer");
        }
    }

    /// Pushes the text of a frame to one connection. Deletes the record of a connection that is gone.
    ///
    /// # Errors
    /// When API Gateway or DynamoDB does not answer in time.
    pub async fn push_text(&self, connection: &ConnectionId, text: &str) -> Result<Delivery> {
        if self.push.text(connection, text).await? {
            return Ok(Delivery::Delivered);
        }
        let Some(found) = self.store.find_connection(connection).await? else { return Ok(Delivery::Gone) };
        let opens_by = found.connected_at.plus_seconds(OPENS_WITHIN_SECONDS);
        if !found.open && clock::now() <= opens_by {
            return Ok(Delivery::NotOpen);
        }
        // A 410 before the connection opened proves nothing, so push once more.
        if self.push.text(connection, text).await? {
            return Ok(Delivery::Delivered);
        }
        self.drop_connection(connection).await;
        Ok(Delivery::Gone)
    }

    /// Pushes `frame` to all connections of `user` except `sender`, concurrently. A connection that fails does not
    /// delay the others, and the record of one that is gone is deleted.
    ///
    /// # Errors
    /// When the connections cannot be listed.
    pub async fn push_to_others(
        &self,
        user: UserId,
        sender: &ConnectionId,
        frame: &ServerFrame,
        now: Millis,
    ) -> Result<()> {
        let text = frame.text()?;
        let watchers = self.list(user, now).await?;
        let others = watchers.iter().map(|watcher| &watcher.connection).filter(|other| *other != sender);
        self.push_text_to_each(others, &text).await;
        Ok(())
    }

    /// Pushes `frame` to all connections of `user`, as [`Self::push_to_others`] does.
    ///
    /// # Errors
    /// When the connections cannot be listed.
    pub async fn push_to_all(&self, user: UserId, frame: &ServerFrame, now: Millis) -> Result<()> {
        let text = frame.text()?;
        let watchers = self.list(user, now).await?;
        self.push_text_to_each(watchers.iter().map(|watcher| &watcher.connection), &text).await;
        Ok(())
    }

    async fn push_text_to_each(&self, connections: impl Iterator<Item = &ConnectionId>, text: &str) {
        for delivered in join_all(connections.map(|connection| self.push_text(connection, text))).await {
            if let Err(error) = delivered {
                tracing::warn!(?error, "could not push a frame");
            }
        }
    }

    /// The connections of `user` whose token is valid at `now`. Connections that should have authenticated again by now
    /// are closed in the background, since no timer closes them.
    ///
    /// # Errors
    /// When the connections cannot be listed.
    pub async fn list(&self, user: UserId, now: Millis) -> Result<Vec<Watcher>> {
        let UserConnections { watching, overdue } = self.store.list_connections_of(user, now).await?;
        for connection in overdue {
            // If this process ends first, the next listing closes the connection.
            tokio::spawn(self.clone().closing(connection));
        }
        Ok(watching)
    }

    /// Boxed, since closing one connection may find another that has to be closed.
    fn closing(self, connection: ConnectionId) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.close(&connection).await;
        })
    }

    /// Closes all but the ten newest connections of `user`, and tells each the reason if it is open.
    ///
    /// Call this after adding a connection. Of several concurrent calls, the last one to list sees all connections.
    /// Concurrent calls never close any of the ten newest.
    ///
    /// # Errors
    /// When the connections cannot be listed.
    pub async fn close_oldest(&self, user: UserId, now: Millis) -> Result<()> {
        let mut watchers = self.list(user, now).await?;
        // Equal times are ordered by id, so that concurrent callers agree on the order.
        let age = |watcher: &Watcher| (watcher.connected_at, watcher.connection.as_str().to_owned());
        watchers.sort_by_cached_key(|watcher| Reverse(age(watcher)));
        let oldest = watchers.iter().skip(MAX_CONNECTIONS);
        join_all(oldest.map(|oldest| self.close_for_newer(&oldest.connection))).await;
        Ok(())
    }

    async fn close_for_newer(&self, connection: &ConnectionId) {
        let detail =
            format!("A newer connection replaced this one; at most {MAX_CONNECTIONS} may be open at a time");
        let frame = ServerFrame::refusal(&Error::new(Code::TooManyConnections, detail));
        self.answer(connection, &frame).await;
        self.close(connection).await;
    }

    /// Deletes the record of a connection, and sends `user_disconnected` to the user's other connections. Of several
    /// concurrent calls, one sends it. A failure is only logged.
    pub async fn drop_connection(&self, connection: &ConnectionId) {
        if let Err(error) = self.try_drop_connection(connection).await {
            tracing::warn!(?error, "could not delete the record of a connection");
        }
    }

    async fn try_drop_connection(&self, connection: &ConnectionId) -> Result<()> {
        let gone = self.store.delete_connection(connection).await?;
        let Some(owner) = gone.and_then(|connection| connection.owner) else { return Ok(()) };
        let frame = ServerFrame::UserDisconnected { user_id: owner.user };
        // Boxed, since the push may find another connection that is gone. Each is found only once.
        Box::pin(self.push_to_others(owner.user, connection, &frame, clock::now())).await
    }

    /// Deletes the record of a connection and closes the connection.
    ///
    /// A connection that is not open yet cannot be closed. Its record is deleted nevertheless, and its greeting or its
    /// next frame, whichever comes first, finds no record and closes it. The record is deleted before the connection is
    /// closed: a greeting that still finds the record has pushed to the connection, so the connection is open and gets
    /// closed here.
    pub async fn close(&self, connection: &ConnectionId) -> Closing {
        self.drop_connection(connection).await;
        self.hang_up(connection).await
    }

    /// Closes a connection whose record is already deleted.
    pub async fn hang_up(&self, connection: &ConnectionId) -> Closing {
        self.push.close(connection).await
    }

    /// Closes the connections of `user` that authenticated with one of these credentials.
    ///
    /// # Errors
    /// When the connections cannot be listed.
    pub async fn close_where(&self, user: UserId, credentials: impl Fn(Credential) -> bool) -> Result<()> {
        let connections = self.store.list_connections_with(user, credentials).await?;
        join_all(connections.iter().map(|connection| self.close(connection))).await;
        Ok(())
    }
}
