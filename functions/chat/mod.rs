//! Chat over HTTP: one request, one reply.

mod complete;
mod models;

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
        let settings = start::model_settings(&mut variables)?;
        let base = Foundation::lay(variables, String::new()).await?;
        Ok(Self { base, models: Models::connect(settings)? })
    }
}

impl Group for Chat {
    async fn route(&self, request: &Request) -> Result<Answer> {
        match request.route_key() {
            "GET /api/models" => models::handle(self, request).await,
            "POST /api/chat" => complete::handle(self, request).await,
            _ => Err(request.unrouted()),
        }
    }
}
