//! By which name AWS knows our requests.

use aws_runtime::user_agent::UserAgentInterceptor;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, disable_interceptor, dyn_dispatch_hint};
use aws_smithy_types::config_bag::ConfigBag;

/// What every request to AWS says of who sends it.
pub(super) const USER_AGENT: &str = concat!("ai-chat-studio/", env!("CARGO_PKG_VERSION"));

/// Keeps the SDK from telling of itself in a request: its version, the compiler's, and which of its features are used. To put
/// that together is a twentieth of what a cold start computes.
#[derive(Debug)]
pub(crate) struct NoSdkUserAgent;

#[dyn_dispatch_hint]
impl Intercept for NoSdkUserAgent {
    fn name(&self) -> &'static str {
        "NoSdkUserAgent"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let disabled = disable_interceptor::<UserAgentInterceptor>("requests say who sends them in a word");
        config.interceptor_state().store_put(disabled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;
    use std::net::TcpListener;
    use std::thread;

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_sdk_lambda::Client;
    use aws_sdk_lambda::config::Builder;
    use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
    use aws_smithy_runtime_api::client::http::http_client_fn;
    use aws_types::SdkConfig;
    use aws_types::region::Region;

    use super::*;
    use crate::aws::http::{self, tests::answer};

    #[tokio::test]
    async fn a_request_says_who_sends_it_and_not_by_which_sdk() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = thread::spawn(move || answer(&mut BufReader::new(listener.accept().unwrap().0)));
        let connector = http::connector().unwrap();
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(address)
            .http_client(http_client_fn(move |_settings, _components| connector.clone()))
            .build();
        let client = Client::from_conf(Builder::from(&aws).interceptor(NoSdkUserAgent).build());
        client.invoke().function_name("any").send().await.unwrap();
        let head = service.join().unwrap().to_lowercase();
        assert!(head.contains("authorization: aws4-hmac-sha256 "), "{head}");
        assert_eq!(head.matches("user-agent: ").count(), 1, "{head}");
        assert!(head.contains(&format!("\r\nuser-agent: {USER_AGENT}\r\n")), "{head}");
    }
}
