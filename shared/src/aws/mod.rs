//! The configuration that all AWS clients share, read from the variables that Lambda sets. `aws-config` is not used: it
//! also looks for profiles, roles and instance metadata, which takes a tenth of a cold start and finds nothing in
//! Lambda.

pub mod async_invoke;
mod http;
pub mod mail;
pub mod secrets;

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::http_client_fn;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::origin::Origin;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

pub use aws_types::SdkConfig;

use crate::config::Variables;

/// The number of attempts for a request, the first one included.
const ATTEMPTS: u32 = 6;
/// The time limit of one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// The time limit of all attempts together.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);
/// The longest pause before the second attempt. It doubles with each attempt. The SDK's default of one second is too
/// long for services that answer in milliseconds.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The configuration of all AWS clients: region and credentials from the variables that Lambda sets, and the addresses
/// in `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>` in place of those of AWS.
///
/// # Errors
/// When the cryptography library does not offer what TLS needs.
pub fn config(variables: &mut Variables) -> Result<SdkConfig, rustls::Error> {
    let region = variables.text("AWS_REGION");
    let (id, key) = (variables.text("AWS_ACCESS_KEY_ID"), variables.text("AWS_SECRET_ACCESS_KEY"));
    let token = Variables::read("AWS_SESSION_TOKEN");
    let credentials = Credentials::new(id, key, token, None, "environment");
    sdk_config(region, credentials, Variables::read("AWS_ENDPOINT_URL"))
}

fn sdk_config(
    region: String,
    credentials: Credentials,
    endpoint: Option<String>,
) -> Result<SdkConfig, rustls::Error> {
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_PAUSE);
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(REQUEST_TIMEOUT)
        .build();
    let connector = http::connector()?;
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        // The credentials outlive the process.
        .identity_cache(IdentityCache::no_cache())
        // The time limit of an attempt includes reading the answer.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .service_config(Endpoints)
        .http_client(http_client_fn(move |_settings, _components| connector.clone()))
        .retry_config(retries)
        .timeout_config(timeouts);
    config.insert_origin("retry_config", Origin::shared_config());
    config.set_endpoint_url(endpoint);
    Ok(config.build())
}

/// Reads the addresses of single services: `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_SECRETS_MANAGER` and so on.
#[derive(Debug)]
struct Endpoints;

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace([' ', '-'], "_");
        Variables::read(&format!("{}_{service}", key.env()))
    }
}
