//! API Gateway: the HTTP API and the WebSocket API on one public port.

mod connections;
mod cors;
mod http_answer;
mod http_api;
mod http_event;
mod routes;
mod session;
mod websocket;
mod websocket_event;

use std::{net::SocketAddr, sync::Arc};

use http::{Request, StatusCode, header::UPGRADE};

pub(crate) use connections::Connections;
pub(crate) use cors::CorsHeaders;
pub(crate) use http_api::HttpApi;
pub(crate) use http_event::domain_of;
pub(crate) use routes::Routes;
pub(crate) use websocket::WebSocketApi;

use crate::{
    http1::{Answer, Body},
    mailbox::Mailbox,
};

/// The maximum size of the request line and headers.
const HEADERS_LIMIT: usize = 10_240;

/// The services on the public port.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) http: HttpApi,
    pub(crate) websocket: Option<Arc<WebSocketApi>>,
    /// The mailbox, which is on the same port.
    pub(crate) mailbox: Mailbox,
}

impl Gateway {
    /// Answers one request.
    pub(crate) async fn handle(self: Arc<Self>, request: Request<Body>, peer: SocketAddr) -> Answer {
        let size: usize =
            request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if size + request.uri().path_and_query().map_or(0, |path| path.as_str().len()) > HEADERS_LIMIT {
            return http_api::own(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        if request.uri().path() == self.mailbox.path() {
            return self.mailbox.show(request.method(), request.headers(), peer.ip());
        }
        if let Some(websocket) = &self.websocket
            && request.headers().contains_key(UPGRADE)
            && websocket.is_address(request.uri().path())
        {
            return websocket.clone().handle(request, peer).await;
        }
        self.http.handle(request, peer).await
    }
}
