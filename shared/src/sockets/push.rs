//! Pushing frames through API Gateway's `@connections`.

use std::cmp::Reverse;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::retry::RetryConfig;
use aws_sdk_apigatewaymanagement::error::{DisplayErrorContext, SdkError};
use aws_sdk_apigatewaymanagement::primitives::Blob;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use futures_util::future::{BoxFuture, join_all};

use super::ServerFrame;
use crate::clock;
use crate::domain::{ConnectionId, Credential, Millis, UserId};
use crate::error::{Code, Error, Result};
use crate::store::{Store, UserConnections, Watcher};

/// A window that takes no frame for so long is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection is open when its connect route has answered, for which API Gateway waits 29 s.
const OPENS_WITHIN_SECONDS: u64 = 30;

/// A user's connections at a time; the oldest gives way to another one.
const MOST_CONNECTIONS: usize = 10;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// API Gateway has it.
    Delivered,
    /// The connection is still being opened, so nothing can be pushed to it.
    NotOpen,
    /// The connection is gone, and forgotten.
    Gone,
}

/// What became of closing a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// It is closed.
    Closed,
    /// It is gone, or not open yet.
    NotFound,
    /// API Gateway did not answer in time.
    Failed,
}

/// Pushes frames to connections.
#[derive(Clone)]
pub struct Push {
    aws: SdkConfig,
    endpoint: String,
    /// Made when it is needed: most instances of most functions come to their end without.
    client: Arc<OnceLock<Client>>,
    store: Store,
}

impl Push {
    /// Pushes through the management endpoint of the WebSocket API at `endpoint`.
    #[must_use]
    pub fn connect(aws: &SdkConfig, endpoint: String, store: Store) -> Self {
        Self { aws: aws.clone(), endpoint, client: Arc::default(), store }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let timeouts = TimeoutConfig::builder().operation_timeout(PATIENCE);
            let config = aws_sdk_apigatewaymanagement::config::Builder::from(&self.aws)
                .endpoint_url(&self.endpoint)
                .timeout_config(timeouts.build())
                .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(50)));
            Client::from_conf(config.build())
        })
    }

    /// Pushes `frame` to one connection. Says whether API Gateway took it: not when the connection is gone, or not open yet.
    ///
    /// # Errors
    /// When API Gateway does not answer in time.
    pub async fn to(&self, connection: &ConnectionId, frame: &ServerFrame) -> Result<bool> {
        self.post(connection, &frame.text()?).await
    }

    /// Pushes the text of a frame to one connection. One that is gone is forgotten.
    ///
    /// # Errors
    /// When API Gateway or DynamoDB does not answer in time.
    pub async fn text_to(&self, connection: &ConnectionId, text: &str) -> Result<Delivery> {
        if self.post(connection, text).await? {
            return Ok(Delivery::Delivered);
        }
        let Some(found) = self.store.find_connection(connection).await? else { return Ok(Delivery::Gone) };
        let opens_by = found.connected_at.plus_seconds(OPENS_WITHIN_SECONDS);
        if !found.open && clock::now() <= opens_by {
            return Ok(Delivery::NotOpen);
        }
        // It may have opened between the post and the look. Only who knows that it was open knows that it is gone.
        if self.post(connection, text).await? {
            return Ok(Delivery::Delivered);
        }
        self.drop_connection(connection).await;
        Ok(Delivery::Gone)
    }

    async fn post(&self, connection: &ConnectionId, text: &str) -> Result<bool> {
        let request = self.client().post_to_connection().connection_id(connection.as_str());
        match request.data(Blob::new(text.as_bytes())).send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_gone_exception() => Ok(false),
            Err(error) => Err(Error::unavailable(DisplayErrorContext(error).to_string())),
        }
    }

    /// Pushes `frame` to one connection as an answer: one that is gone needs none.
    pub async fn answer(&self, connection: &ConnectionId, frame: &ServerFrame) {
        if let Err(error) = self.to(connection, frame).await {
            tracing::warn!(?error, "an answer could not be pushed");
        }
    }

    /// Pushes `frame` to all connections of `user` but one, all at once. A connection that is gone is forgotten; one
    /// that fails delays no other.
    ///
    /// # Errors
    /// When the connections cannot be listed.
    pub async fn to_others(
        &self,
        user: UserId,
        but: &ConnectionId,
        frame: &ServerFrame,
        now: Millis,
    ) -> Result<()> {
        let text = frame.text()?;
        let watchers = self.watchers(user, now).await?;
        let others = watchers.iter().map(|watcher| &watcher.connection).filter(|other| *other != but);
        self.text_to_each(others, &text).await;
        Ok(())
    }

    /// Pushes `frame` to all connections of `user`, all at once, like [`Self::to_others`].
    ///
    /// # Errors
    /// When the connections cannot be listed.
    pub async fn to_all(&self, user: UserId, frame: &ServerFrame, now: Millis) -> Result<()> {
        let text = frame.text()?;
        let watchers = self.watchers(user, now).await?;
        self.text_to_each(watchers.iter().map(|watcher| &watcher.connection), &text).await;
        Ok(())
    }

    async fn text_to_each(&self, connections: impl Iterator<Item = &ConnectionId>, text: &str) {
        for delivered in join_all(connections.map(|connection| self.text_to(connection, text))).await {
            if let Err(error) = delivered {
                tracing::warn!(?error, "a frame could not be pushed");
            }
        }
    }

    /// The connections of `user` that may be pushed to at `now`. Those that should have authenticated again by now are
    /// closed meanwhile: there is no other timer that would do it.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn watchers(&self, user: UserId, now: Millis) -> Result<Vec<Watcher>> {
        let UserConnections { watching, overdue } = self.store.connections_of(user, now).await?;
        for connection in overdue {
            // Nobody waits for it, a reply least of all. Cut off, it is done by whoever comes next.
            tokio::spawn(self.clone().closing(connection));
        }
        Ok(watching)
    }

    /// Of a type of its own, since closing one may find another.
    fn closing(self, connection: ConnectionId) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.close(&connection).await;
        })
    }

    /// Closes the oldest connections of `user` so that the ten newest are left. Each is told why, if it is open.
    ///
    /// Whoever adds a connection calls this after it. So of many at once the last one to look sees all of them, and those that
    /// others closed before are none of the ten newest.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn close_oldest(&self, user: UserId, now: Millis) -> Result<()> {
        let mut windows = self.watchers(user, now).await?;
        // By their ids where the time is equal, so that all who look agree.
        let age = |window: &Watcher| (window.connected_at, window.connection.as_str().to_owned());
        windows.sort_by_cached_key(|window| Reverse(age(window)));
        let oldest = windows.iter().skip(MOST_CONNECTIONS);
        join_all(oldest.map(|oldest| self.close_for_another(&oldest.connection))).await;
        Ok(())
    }

    async fn close_for_another(&self, connection: &ConnectionId) {
        let detail = format!("Another window was opened; {MOST_CONNECTIONS} stay open at a time");
        let frame = ServerFrame::refusal(&Error::new(Code::TooManyConnections, detail));
        self.answer(connection, &frame).await;
        self.close(connection).await;
    }

    /// Takes a connection from its user, and tells the user's other windows. Of many who do this, one tells.
    pub async fn drop_connection(&self, connection: &ConnectionId) {
        if let Err(error) = self.try_drop_connection(connection).await {
            tracing::warn!(?error, "a connection could not be dropped");
        }
    }

    async fn try_drop_connection(&self, connection: &ConnectionId) -> Result<()> {
        let gone = self.store.delete_connection(connection).await?;
        let Some(owner) = gone.and_then(|connection| connection.owner) else { return Ok(()) };
        let frame = ServerFrame::UserDisconnected { user_id: owner.user };
        // Boxed, since another dead connection may be found on the way; each is found once.
        Box::pin(self.to_others(owner.user, connection, &frame, clock::now())).await
    }

    /// Forgets a connection and closes it.
    ///
    /// One that is not open yet cannot be closed. It is forgotten then, and whoever next has to do with a connection that is
    /// forgotten closes it: its greeting, or its next frame. It is forgotten first: a greeting that finds it after all has posted
    /// to it, so it is open, and closed here.
    pub async fn close(&self, connection: &ConnectionId) -> Closing {
        self.drop_connection(connection).await;
        self.hang_up(connection).await
    }

    /// Closes a connection that is forgotten.
    pub async fn hang_up(&self, connection: &ConnectionId) -> Closing {
        let closed = self.client().delete_connection().connection_id(connection.as_str()).send().await;
        match closed {
            Ok(_) => Closing::Closed,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_gone_exception()) => {
                Closing::NotFound
            }
            Err(error) => {
                let error = DisplayErrorContext(error).to_string();
                tracing::warn!(error, "a connection could not be closed");
                Closing::Failed
            }
        }
    }

    /// Closes the connections of `user` that authenticated with one of these credentials.
    ///
    /// # Errors
    /// When the connections cannot be listed.
    pub async fn close_where(&self, user: UserId, credentials: impl Fn(Credential) -> bool) -> Result<()> {
        let connections = self.store.connections_with(user, credentials).await?;
        join_all(connections.iter().map(|connection| self.close(connection))).await;
        Ok(())
    }
}
