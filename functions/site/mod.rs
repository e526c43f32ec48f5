//! The function `site`: the front page of the API, the OpenAPI and AsyncAPI documents, and the pages that show them.

mod asyncapi;
mod asyncapi_page;
mod carried;
mod docs;
mod openapi;
mod part;
mod redoc;
mod root;

use shared::Result;
use shared::http::{Answer, Group, Parameters, Request};
use utoipa::OpenApi;

use crate::queries;
use crate::start::{self, StartError};

/// The OpenAPI description of the routes of this group.
#[derive(OpenApi)]
#[openapi(paths(root::handle, openapi::handle))]
pub(crate) struct Documented;

/// The group. It has no state.
pub struct Site;

impl Site {
    /// Starts logging.
    ///
    /// # Errors
    /// When a variable is invalid.
    pub async fn start() -> Result<Self, StartError> {
        start::variables().done(Some(Self)).map_err(StartError::from)
    }
}

impl Group for Site {
    fn parameters(&self, route_key: &str) -> Parameters {
        queries::of(route_key)
    }

    async fn route(&self, request: &Request) -> Result<Answer> {
        match request.route_key() {
            "GET /" => root::handle(),
            "GET /openapi.json" => openapi::handle(request),
            "GET /docs" => docs::handle(request),
            "GET /docs/{folder}/{file}" => part::handle(request),
            "GET /redoc" => redoc::handle(request),
            "GET /asyncapi" => asyncapi_page::handle(request),
            "GET /asyncapi.json" => asyncapi::handle(request),
            _ => Err(request.unrouted()),
        }
    }
}
