//! How AWS clients are configured: by what Lambda sets in the environment. The SDK's own loader also looks for profiles,
//! roles and instances, and makes a client of another service to do so; that takes a tenth of a cold start, and finds nothing here.

pub mod async_invoke;
pub(crate) mod http;
pub mod mail;
pub mod secrets;
mod user_agent;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::origin::Origin;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::config::Variables;

pub(crate) use user_agent::NoSdkUserAgent;

/// How often, and for how long, a service of AWS is asked.
pub(crate) mod tries {
    use std::time::Duration;

    /// The first one included.
    pub(crate) const MOST: u32 = 6;
    /// How long one may take.
    pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
    /// How long all may take together.
    pub(crate) const ALTOGETHER: Duration = Duration::from_secs(8);
    /// The longest pause before the second; it doubles with each. Services answer in milliseconds: a second, as the SDK would
    /// wait, is far too long.
    pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(50);
}

/// What AWS clients are made of.
#[derive(Clone)]
pub struct AwsConfig {
    /// Configures the clients of the SDK.
    pub sdk: SdkConfig,
    /// Sends requests that are signed already.
    pub(crate) connector: SharedHttpConnector,
    pub(crate) credentials: Credentials,
    pub(crate) region: String,
}

impl AwsConfig {
    /// Has a connection to DynamoDB ready for the request that comes first. If none comes about, that request will tell why.
    pub fn connect_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        http::connect_ahead(self.connector.clone(), self.endpoint("DYNAMODB", "dynamodb"))
    }

    /// The address of a service, named as in `AWS_ENDPOINT_URL_DYNAMODB` and as in `dynamodb.us-east-1.amazonaws.com`.
    pub(crate) fn endpoint(&self, variable: &str, host: &str) -> String {
        let elsewhere = Variables::read(&format!("AWS_ENDPOINT_URL_{variable}"));
        elsewhere
            .or_else(|| Variables::read("AWS_ENDPOINT_URL"))
            .unwrap_or_else(|| format!("https://{host}.{}.{}", self.region, domain(&self.region)))
    }
}

/// The domain of the partition that a region is in, as in the SDK's table of partitions.
fn domain(region: &str) -> &'static str {
    match region.split('-').collect::<Vec<_>>().as_slice() {
        ["cn", ..] => "amazonaws.com.cn",
        ["eusc", ..] => "amazonaws.eu",
        ["us", "iso", ..] => "c2s.ic.gov",
        ["us", "isob", ..] => "sc2s.sgov.gov",
        ["us", "isof", ..] => "csp.hci.ic.gov",
        ["eu", "isoe", ..] => "cloud.adc-e.uk",
        _ => "amazonaws.com",
    }
}

/// The configuration of all AWS clients: region and credentials as Lambda tells them, and endpoints for those that are to
/// go elsewhere than to AWS (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_DYNAMODB` and so on).
///
/// # Errors
/// When the cryptography lacks what TLS needs.
pub fn config(variables: &mut Variables) -> Result<AwsConfig, rustls::Error> {
    let retries =
        RetryConfig::standard().with_max_attempts(tries::MOST).with_initial_backoff(tries::FIRST_PAUSE);
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(tries::PATIENCE)
        .operation_timeout(tries::ALTOGETHER)
        .build();
    let (region, credentials) = (variables.text("AWS_REGION"), credentials(variables));
    let connector = http::connector()?;
    let for_clients = connector.clone();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
        // They are never renewed, and every try has its time, in which the answer is read to its end.
        .identity_cache(IdentityCache::no_cache())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .service_config(Endpoints)
        .http_client(http_client_fn(move |_settings, _components| for_clients.clone()))
        .retry_config(retries)
        .timeout_config(timeouts);
    config.insert_origin("retry_config", Origin::shared_config());
    config.set_endpoint_url(Variables::read("AWS_ENDPOINT_URL"));
    Ok(AwsConfig { sdk: config.build(), connector, credentials, region })
}

/// They are the function's role's, and outlive its process.
fn credentials(variables: &mut Variables) -> Credentials {
    let (id, secret) = (variables.text("AWS_ACCESS_KEY_ID"), variables.text("AWS_SECRET_ACCESS_KEY"));
    let token = Variables::read("AWS_SESSION_TOKEN");
    Credentials::new(id, secret, token, None, "environment")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_in_the_domain_of_their_partition() {
        // <https://docs.aws.amazon.com/general/latest/gr/rande.html> and the table that the SDK carries.
        for (region, expected) in [
            ("us-east-1", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("ap-southeast-2", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
            ("eusc-de-east-1", "amazonaws.eu"),
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("us-isof-south-1", "csp.hci.ic.gov"),
            ("eu-isoe-west-1", "cloud.adc-e.uk"),
        ] {
            assert_eq!(domain(region), expected, "{region}");
        }
    }
}
