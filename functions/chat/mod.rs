//! Chat over HTTP: one request, one reply.

mod complete;

use shared::Result;
use shared::http::{Answer, Group, Request};
use shared::models::Models;

use crate::start::{self, Foundation, StartError};

/// What the handlers of this group share.
pub struct Chat {
    base: Foundation,
    models: Models,
}

impl Chat {
    /// Reads the environment and connects.
    ///
    /// # Errors
    /// Every variable that is missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let mut variables = start::variables();
        let models = start::models(&mut variables);
        Ok(Self { base: Foundation::lay(variables, String::new()).await?, models })
    }
}

impl Group for Chat {
    async fn route(&self, request: &Request) -> Result<Answer> {
        match request.route_key() {
            "POST /api/chat" => complete::handle(self, request).await,
            _ => Err(request.unrouted()),
        }
    }
}
