//! What AWS clients send their requests through: the SDK's own client would read the roots of the operating system.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::tls;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
struct Connector(Client<HttpsConnector<TcpConnector>, SdkBody>);

/// A client of HTTP/1.1, which all services that are used here speak. It connects within two seconds, whatever timeout is
/// set; other timeouts are kept by who uses it.
///
/// # Errors
/// When the cryptography lacks what TLS needs.
pub(crate) fn connector() -> Result<SharedHttpConnector, rustls::Error> {
    let mut tcp = TcpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    // Addresses of tests have no TLS.
    tcp.enforce_http(false);
    let https =
        HttpsConnectorBuilder::new().with_tls_config(tls::client_config()?).https_or_http().enable_http1();
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new());
    Ok(SharedHttpConnector::new(Connector(client.build(https.wrap_connector(tcp)))))
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            // Whatever happens to a connection, another may do: the SDK tries again.
            let response = client.request(request).await.map_err(|error| ConnectorError::io(error.into()))?;
            let response = HttpResponse::try_from(response.map(SdkBody::from_body_1_x));
            response.map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
