//! Pushes frames through API Gateway's `@connections` API.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::retry::RetryConfig;
use aws_sdk_apigatewaymanagement::error::{DisplayErrorContext, SdkError};
use aws_sdk_apigatewaymanagement::primitives::Blob;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

use super::ServerFrame;
use crate::domain::ConnectionId;
use crate::error::{Error, Result};

/// A connection that takes no frame within this time counts as failed.
const PUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// The outcome of closing a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The connection is closed.
    Closed,
    /// The connection is gone, or not open yet.
    NotFound,
    /// API Gateway did not answer in time.
    Failed,
}

/// A client of the `@connections` API. Cloning it is cheap.
#[derive(Clone)]
pub struct Push {
    aws: SdkConfig,
    endpoint: String,
    /// Built at the first use: most instances of most functions never push.
    client: Arc<OnceLock<Client>>,
}

impl Push {
    /// A client of the management endpoint of the WebSocket API.
    #[must_use]
    pub fn connect(aws: &SdkConfig, endpoint: String) -> Self {
        Self { aws: aws.clone(), endpoint, client: Arc::default() }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let timeouts = TimeoutConfig::builder().operation_timeout(PUSH_TIMEOUT);
            let config = aws_sdk_apigatewaymanagement::config::Builder::from(&self.aws)
                .endpoint_url(&self.endpoint)
                .timeout_config(timeouts.build())
                .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(50)));
            Client::from_conf(config.build())
        })
    }

    /// Pushes `frame` to a connection. Returns false when the connection is gone, or not open yet.
    ///
    /// # Errors
    /// When API Gateway does not answer in time.
    pub async fn frame(&self, connection: &ConnectionId, frame: &ServerFrame) -> Result<bool> {
        self.text(connection, &frame.text()?).await
    }

    /// Pushes the text of a frame to a connection. Returns false when the connection is gone, or not open yet.
    ///
    /// # Errors
    /// When API Gateway does not answer in time.
    pub async fn text(&self, connection: &ConnectionId, text: &str) -> Result<bool> {
        let request = self.client().post_to_connection().connection_id(connection.as_str());
        match request.data(Blob::new(text.as_bytes())).send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_gone_exception() => Ok(false),
            Err(error) => Err(Error::unavailable(DisplayErrorContext(error).to_string())),
        }
    }

    /// Closes a connection.
    pub async fn close(&self, connection: &ConnectionId) -> Closing {
        let closed = self.client().delete_connection().connection_id(connection.as_str()).send().await;
        match closed {
            Ok(_) => Closing::Closed,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_gone_exception()) => {
                Closing::NotFound
            }
            Err(error) => {
                let error = DisplayErrorContext(error).to_string();
                tracing::warn!(error, "could not close a connection");
                Closing::Failed
            }
        }
    }
}
