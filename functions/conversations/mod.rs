//! Conversations: listed, created, read, replaced, deleted.

mod body;
mod create;
mod delete;
mod list;
mod read;
mod replace;

use shared::Result;
use shared::domain::ConversationId;
use shared::error::Error;
use shared::http::{Answer, Group, Request};

use crate::start::{self, Foundation, StartError};

/// What the handlers of this group share.
pub struct Conversations {
    base: Foundation,
}

impl Conversations {
    /// Reads the environment and connects.
    ///
    /// # Errors
    /// Every variable that is missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        Ok(Self { base: Foundation::lay(start::variables(), String::new()).await? })
    }
}

impl Group for Conversations {
    async fn route(&self, request: &Request) -> Result<Answer> {
        match request.route_key() {
            "GET /api/conversations" => list::handle(self, request).await,
            "POST /api/conversations" => create::handle(self, request).await,
            "GET /api/conversations/{id}" => read::handle(self, request).await,
            "PUT /api/conversations/{id}" => replace::handle(self, request).await,
            "DELETE /api/conversations/{id}" => delete::handle(self, request).await,
            _ => Err(request.unrouted()),
        }
    }
}

/// The conversation that the path names.
fn named(request: &Request) -> Result<ConversationId> {
    request.path("id", Error::no_conversation)
}
