//! How AWS clients are configured: by what Lambda sets in the environment. The SDK's own loader also looks for profiles,
//! roles and instances, and makes a client of another service to do so; that takes a tenth of a cold start, and finds nothing here.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::origin::Origin;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::{Variables, aws_http};

/// The configuration of all AWS clients: region and credentials as Lambda tells them, and endpoints for those that are to
/// go elsewhere than to AWS (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_DYNAMODB` and so on).
///
/// # Errors
/// When the cryptography lacks what TLS needs.
pub fn aws(variables: &mut Variables) -> Result<SdkConfig, rustls::Error> {
    // DynamoDB answers in milliseconds: waiting a second before the second try, as the SDK would, is far too long.
    let retries =
        RetryConfig::standard().with_max_attempts(6).with_initial_backoff(Duration::from_millis(50));
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(8))
        .build();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(variables.text("AWS_REGION")))
        .credentials_provider(credentials(variables))
        .service_config(Endpoints)
        .http_client(aws_http::client()?)
        .retry_config(retries)
        .timeout_config(timeouts);
    config.insert_origin("retry_config", Origin::shared_config());
    config.set_endpoint_url(Variables::read("AWS_ENDPOINT_URL"));
    Ok(config.build())
}

/// They are the function's role's, and outlive its process.
fn credentials(variables: &mut Variables) -> SharedCredentialsProvider {
    let (id, secret) = (variables.text("AWS_ACCESS_KEY_ID"), variables.text("AWS_SECRET_ACCESS_KEY"));
    let token = Variables::read("AWS_SESSION_TOKEN");
    SharedCredentialsProvider::new(Credentials::new(id, secret, token, None, "environment"))
}

/// Endpoints of single services.
#[derive(Debug)]
struct Endpoints;

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace([' ', '-'], "_");
        Variables::read(&format!("{}_{service}", key.env()))
    }
}
