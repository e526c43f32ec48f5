//! The front page of the API, and its document.

mod openapi;
mod root;

use shared::Result;
use shared::http::{Answer, Group, Request};
use utoipa::OpenApi;

use crate::start::{self, StartError};

/// What this group says of its routes.
#[derive(OpenApi)]
#[openapi(paths(root::handle, openapi::handle))]
pub(crate) struct Documented;

/// Needs nothing.
pub struct Site;

impl Site {
    /// Begins the logs.
    ///
    /// # Errors
    /// None so far.
    pub async fn start() -> Result<Self, StartError> {
        start::variables().done(Some(Self)).map_err(StartError::from)
    }
}

impl Group for Site {
    async fn route(&self, request: &Request) -> Result<Answer> {
        match request.route_key() {
            "GET /" => root::handle(),
            "GET /openapi.json" => openapi::handle(),
            _ => Err(request.unrouted()),
        }
    }
}
