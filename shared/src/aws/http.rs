//! What AWS clients send their requests through: the SDK's own client would read the roots of the operating system.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::tries;
use super::user_agent::USER_AGENT;
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

/// Opens a connection to a service that answers whoever asks for `/`, as DynamoDB does, and leaves it for the next request.
/// One that does not answer in the time of a try is let go.
pub(super) async fn connect_ahead(connector: SharedHttpConnector, address: String) {
    let mut request = HttpRequest::empty();
    if request.set_uri(address).is_err() {
        return;
    }
    let ask = async {
        if let Ok(answer) = connector.call(request).await {
            // A connection is free once its answer is read.
            ByteStream::new(answer.into_body()).collect().await.ok();
        }
    };
    tokio::time::timeout(tries::PATIENCE, ask).await.ok();
}

impl HttpConnector for Connector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        // It is not part of what is signed.
        request.headers_mut().insert("user-agent", USER_AGENT);
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

#[cfg(test)]
pub(super) mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    /// Reads the head of a request without a body, and answers it.
    pub(in crate::aws) fn answer(connection: &mut BufReader<TcpStream>) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && connection.read_line(&mut head).unwrap() > 0 {}
        connection.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nhealthy").unwrap();
        head
    }

    #[tokio::test]
    async fn the_first_request_takes_the_connection_that_was_opened_ahead() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        // There is one connection only.
        let service = thread::spawn(move || {
            let mut connection = BufReader::new(listener.accept().unwrap().0);
            [answer(&mut connection), answer(&mut connection)]
        });
        let connector = connector().unwrap();
        connect_ahead(connector.clone(), address.clone()).await;
        let mut request = HttpRequest::empty();
        request.set_uri(format!("{address}/first")).unwrap();
        assert_eq!(connector.call(request).await.unwrap().status().as_u16(), 200);
        let [ahead, first] = service.join().unwrap();
        assert!(
            ahead.starts_with("GET / HTTP/1.1") && !ahead.to_lowercase().contains("authorization"),
            "{ahead}"
        );
        assert!(first.starts_with("GET /first HTTP/1.1"), "{first}");
    }

    #[tokio::test]
    async fn nothing_happens_when_there_is_no_connection_to_be_had() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        connect_ahead(connector().unwrap(), format!("http://{closed}")).await;
        connect_ahead(connector().unwrap(), "no address".to_owned()).await;
        // Connections wait in the backlog of this one; nobody ever answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        connect_ahead(connector().unwrap(), format!("http://{}", silent.local_addr().unwrap())).await;
    }
}
