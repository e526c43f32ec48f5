//! Handing work over to a function that does it after its caller has answered.

use std::sync::{Arc, OnceLock};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_types::SdkConfig;
use serde::Serialize;

use super::NoSdkUserAgent;
use crate::error::{Error, Result};

/// Hands tasks over.
#[derive(Clone)]
pub struct Handover {
    aws: SdkConfig,
    /// Made when it is needed: most instances come to their end without.
    client: Arc<OnceLock<Client>>,
    function: String,
}

impl Handover {
    /// Hands over to the Lambda function with this name or ARN.
    #[must_use]
    pub fn connect(aws: &SdkConfig, function: String) -> Self {
        Self { aws: aws.clone(), client: Arc::default(), function }
    }

    /// Hands `task` over. Lambda does it soon, at least once in the most cases, never in a few: each task bears that.
    ///
    /// # Errors
    /// When Lambda does not take it.
    pub async fn hand_over(&self, task: &impl Serialize) -> Result<()> {
        let payload = serde_json::to_vec(task).map_err(Error::internal)?;
        let client = self.client.get_or_init(|| {
            let config = aws_sdk_lambda::config::Builder::from(&self.aws).interceptor(NoSdkUserAgent);
            Client::from_conf(config.build())
        });
        let request = client.invoke().function_name(&self.function).invocation_type(InvocationType::Event);
        let sent = request.payload(Blob::new(payload)).send().await;
        sent.map_err(|error| Error::unavailable(DisplayErrorContext(error).to_string()))?;
        Ok(())
    }
}
