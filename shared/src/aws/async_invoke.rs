//! Invokes another function asynchronously, for work that goes on after the caller has its answer.

use std::sync::{Arc, OnceLock};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_types::SdkConfig;
use serde::Serialize;

use crate::error::{Error, Result};

/// Invokes one Lambda function asynchronously. Cloning it is cheap.
#[derive(Clone)]
pub struct AsyncInvoker {
    aws: SdkConfig,
    /// Created at the first invocation: most instances never invoke anything.
    client: Arc<OnceLock<Client>>,
    function: String,
}

impl AsyncInvoker {
    /// Creates an invoker of the function with this name or ARN.
    #[must_use]
    pub fn connect(aws: &SdkConfig, function: String) -> Self {
        Self { aws: aws.clone(), client: Arc::default(), function }
    }

    /// Queues `task` for the function. Lambda usually runs it at once, sometimes twice, and in rare cases never: the
    /// task must tolerate each.
    ///
    /// # Errors
    /// When Lambda does not accept the invocation.
    pub async fn invoke(&self, task: &impl Serialize) -> Result<()> {
        let payload = serde_json::to_vec(task).map_err(Error::internal)?;
        let client = self.client.get_or_init(|| Client::new(&self.aws));
        let request = client.invoke().function_name(&self.function).invocation_type(InvocationType::Event);
        let sent = request.payload(Blob::new(payload)).send().await;
        sent.map_err(|error| Error::unavailable(DisplayErrorContext(error).to_string()))?;
        Ok(())
    }
}
