//! Secrets, read from Secrets Manager where they are kept: never from a variable, never logged.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{DisplayErrorContext, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_types::SdkConfig;

use crate::error::{Error, Result};

/// A secret as it is, and as it was before its last rotation. It has no `Debug`, so that it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Versions {
    /// What it is.
    pub current: String,
    /// What it was, if it was rotated.
    pub previous: Option<String>,
}

/// Reads secrets. Cloning it is cheap.
#[derive(Clone)]
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// A reader of secrets.
    #[must_use]
    pub fn connect(aws: &SdkConfig) -> Self {
        Self { client: Client::new(aws) }
    }

    /// The secret with this ARN as it is.
    ///
    /// # Errors
    /// When there is none, or Secrets Manager is out of reach.
    pub async fn read(&self, arn: &str) -> Result<String> {
        let current = self.version(arn, "AWSCURRENT").await?;
        current.ok_or_else(|| Error::internal("a secret has no value"))
    }

    /// Both versions of the secret with this ARN, asked for at once.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_versions(&self, arn: &str) -> Result<Versions> {
        let (current, previous) = tokio::join!(self.read(arn), self.version(arn, "AWSPREVIOUS"));
        Ok(Versions { current: current?, previous: previous? })
    }

    async fn version(&self, arn: &str, stage: &str) -> Result<Option<String>> {
        let answer = self.client.get_secret_value().secret_id(arn).version_stage(stage).send().await;
        match answer {
            Ok(answer) => Ok(answer.secret_string),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(Error::unavailable(DisplayErrorContext(error).to_string())),
        }
    }
}

fn is_absent(error: &SdkError<GetSecretValueError>) -> bool {
    error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception)
}
