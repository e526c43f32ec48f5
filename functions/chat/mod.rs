//! The function `chat`: replies over HTTP, stopping them, the list of models, and usage.

mod complete;
mod models;
mod reply;
mod stop;
mod stored;
mod usage;

use shared::Result;
use shared::aws::async_invoke::AsyncInvoker;
use shared::chat::{Connections, FinishedReply, InlineReplies, ReplyControl, ReplyTask, Turns, Worker};
use shared::clock;
use shared::domain::{ReplyPlace, ReplyStatus};
use shared::http::{Answer, Group, Parameters, Request};
use shared::models::Models;

use crate::queries;
use crate::start::{self, AppContext, StartError};
use utoipa::OpenApi;

/// The OpenAPI document of this function's routes.
#[derive(OpenApi)]
#[openapi(paths(complete::handle, stop::handle, models::handle, usage::handle))]
pub(crate) struct ChatApi;

/// What the handlers of this function share.
pub struct Chat {
    app: AppContext,
    models: Models,
    replies: ReplyControl,
    turns: Turns,
    inline: InlineReplies,
    worker: Worker,
    invoker: AsyncInvoker,
}

impl Chat {
    /// Reads the settings and creates the clients.
    ///
    /// # Errors
    /// All variables that are missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let mut variables = start::variables();
        let (providers, limits) = (start::providers(&mut variables)?, start::limits(&mut variables));
        let (connections_table, function) =
            (variables.text("CONNECTIONS_TABLE"), variables.text("REPLIES_FUNCTION"));
        let endpoint = variables.text("WEBSOCKET_ENDPOINT");
        let app = AppContext::connect(variables, connections_table).await?;
        let (store, models) = (app.store.clone(), Box::pin(providers.connect(&app.aws)).await?);
        let connections = Connections::connect(&app.aws, endpoint, store.clone());
        let turns = Turns::new(store.clone(), models.offer().clone(), limits);
        Ok(Self {
            replies: ReplyControl::new(store.clone(), connections.clone()),
            inline: InlineReplies::new(models.clone(), turns.clone()),
            worker: Worker::new(store, models.clone(), turns.clone(), connections),
            invoker: AsyncInvoker::connect(&app.aws, function),
            app,
            models,
            turns,
        })
    }

    /// Invokes `replies` to make a reply. If the invocation fails, the reply ends as failed at once.
    async fn hand_over(&self, place: &ReplyPlace) -> Result<()> {
        let handed_over = self.invoker.invoke(&ReplyTask::MakeReply { place: place.clone() }).await;
        if handed_over.is_err() {
            self.app.store.end_unstarted_reply(place, ReplyStatus::Failed, clock::now()).await?;
        }
        handed_over
    }

    /// Invokes `replies` to title a conversation that began with this reply. A failure is only logged: the
    /// conversation keeps its first words as its title.
    async fn title(&self, place: &ReplyPlace, made: &FinishedReply) {
        if !made.is_first {
            return;
        }
        let task = ReplyTask::Title { place: place.clone() };
        if let Err(error) = self.invoker.invoke(&task).await {
            tracing::warn!(?error, "could not invoke `replies` to title a conversation");
        }
    }
}

impl Group for Chat {
    fn parameters(&self, route_key: &str) -> Parameters {
        queries::of(route_key)
    }

    async fn route(&self, request: &Request) -> Result<Answer> {
        match request.route_key() {
            "POST /api/chat" => complete::handle(self, request).await,
            "GET /api/models" => models::handle(self, request).await,
            "GET /api/usage" => usage::handle(self, request).await,
            "POST /api/conversations/{id}/messages/{messageId}/stop" => stop::handle(self, request).await,
            _ => Err(request.unrouted()),
        }
    }
}
