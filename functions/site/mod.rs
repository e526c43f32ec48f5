//! The front page of the API.

mod root;

use shared::Result;
use shared::http::{Answer, Group, Request};

use crate::start::{self, StartError};

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
            _ => Err(request.unrouted()),
        }
    }
}
