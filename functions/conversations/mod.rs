//! The function `conversations`: stored conversations and their messages, export and import.

mod answers;
mod body;
mod create;
mod delete;
mod delete_many;
mod export;
mod fork;
mod import;
mod list;
mod messages;
mod paging;
mod parameters;
mod patch;
mod read;
mod replace;

use shared::Result;
use shared::domain::{ConversationId, MessageId, UserId};
use shared::error::{Code, Error};
use shared::http::{Answer, Group, Parameters, Request};

use self::parameters::{Branches, ExportFormat, Flag, Limit, Order, View};
use crate::costs::Accounting;
use crate::queries;
use crate::start::{self, AppContext, StartError};
use utoipa::OpenApi;

/// The OpenAPI document of this function's routes.
#[derive(OpenApi)]
#[openapi(
    paths(
        list::handle,
        create::handle,
        read::handle,
        replace::handle,
        patch::handle,
        delete::handle,
        delete_many::handle,
        messages::list::handle,
        messages::append::handle,
        messages::edit::handle,
        messages::delete::handle,
        fork::handle,
        export::one::handle,
        export::all::handle,
        export::account::handle,
        import::handler::handle
    ),
    components(schemas(Limit, Flag, View, Order, Branches, ExportFormat))
)]
pub(crate) struct ConversationsApi;

/// What the handlers of this function share.
pub struct Conversations {
    app: AppContext,
    accounting: Accounting,
}

impl Conversations {
    /// Reads the settings and creates the clients.
    ///
    /// # Errors
    /// All variables that are missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let mut variables = start::variables();
        let accounting = Accounting::of_all(&mut variables);
        Ok(Self { app: AppContext::connect(variables, String::new()).await?, accounting })
    }
}

impl Group for Conversations {
    fn parameters(&self, route_key: &str) -> Parameters {
        queries::of(route_key)
    }

    async fn route(&self, request: &Request) -> Result<Answer> {
        // Boxed, because the compiler cannot lay out futures that are nested this deep.
        let work = Box::pin(self.handle(request));
        Box::pin(self.accounting.account(&self.app.store, request, work)).await
    }
}

impl Conversations {
    async fn handle(&self, request: &Request) -> Result<Answer> {
        match request.route_key() {
            "GET /api/conversations" => list::handle(self, request).await,
            "POST /api/conversations" => create::handle(self, request).await,
            "GET /api/conversations/{id}" => read::handle(self, request).await,
            "PUT /api/conversations/{id}" => replace::handle(self, request).await,
            "PATCH /api/conversations/{id}" => patch::handle(self, request).await,
            "DELETE /api/conversations/{id}" => delete::handle(self, request).await,
            "POST /api/conversations/delete" => delete_many::handle(self, request).await,
            _ => self.handle_parts(request).await,
        }
    }

    /// Refuses a read that is usually large if its user has no requests left.
    async fn check_reader(&self, request: &Request, user: UserId) -> Result<()> {
        self.accounting.check_reader(&self.app.store, request, user).await
    }

    /// Handles requests for parts of conversations, exports and imports.
    async fn handle_parts(&self, request: &Request) -> Result<Answer> {
        match request.route_key() {
            "GET /api/conversations/{id}/messages" => messages::list::handle(self, request).await,
            "POST /api/conversations/{id}/messages" => messages::append::handle(self, request).await,
            "PATCH /api/conversations/{id}/messages/{messageId}" => {
                messages::edit::handle(self, request).await
            }
            "DELETE /api/conversations/{id}/messages/{messageId}" => {
                messages::delete::handle(self, request).await
            }
            "POST /api/conversations/{id}/fork" => fork::handle(self, request).await,
            "GET /api/conversations/{id}/export" => export::one::handle(self, request).await,
            "GET /api/export" => export::all::handle(self, request).await,
            "GET /api/auth/me/export" => export::account::handle(self, request).await,
            "POST /api/import" => import::handler::handle(self, request).await,
            _ => Err(request.unrouted()),
        }
    }
}

/// The id of the conversation in the path.
fn conversation_id(request: &Request) -> Result<ConversationId> {
    request.path("id", Error::no_conversation)
}

/// The id of the message in the path.
fn message_id(request: &Request) -> Result<MessageId> {
    request.path("messageId", || Error::new(Code::NotFound, "Message not found"))
}
