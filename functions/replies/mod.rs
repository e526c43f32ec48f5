//! Work that goes on after its caller was answered: making replies, greeting connections. Invoked asynchronously.

use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use shared::Result;
use shared::config;
use shared::domain::Millis;
use shared::models::Models;
use shared::replies::{Task, Worker, greet};
use shared::sockets::Push;
use shared::store::Store;
use tracing::Instrument as _;

use crate::start::{self, StartError};

/// What the tasks share.
pub struct Replies {
    store: Store,
    push: Push,
    worker: Worker,
}

impl Replies {
    /// Reads the environment and connects.
    ///
    /// # Errors
    /// Every variable that is missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let mut variables = start::variables();
        let settings = start::model_settings(&mut variables)?;
        let (studio, connections) = (variables.text("STUDIO_TABLE"), variables.text("CONNECTIONS_TABLE"));
        let endpoint = variables.text("WEBSOCKET_ENDPOINT");
        let (studio, connections, endpoint) = variables.done(Some((studio, connections, endpoint)))?;
        let aws = config::aws().await;
        let store = Store::connect(&aws, studio, connections);
        let push = Push::connect(&aws, &endpoint, store.clone());
        let worker = Worker::new(store.clone(), Models::connect(settings)?, push.clone());
        Ok(Self { store, push, worker })
    }

    /// Does tasks until the runtime ends the process.
    ///
    /// # Errors
    /// When the Lambda Runtime API is out of reach.
    pub async fn serve(self) -> Result<(), StartError> {
        let replies = Arc::new(self);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Task>| {
            let replies = Arc::clone(&replies);
            async move { replies.perform(event).await }
        }))
        .await
    }

    async fn perform(&self, event: LambdaEvent<Task>) -> Result<(), lambda_runtime::Error> {
        let span = tracing::info_span!("task", id = event.context.request_id);
        let deadline = Millis::saturating(event.context.deadline);
        let done = match &event.payload {
            Task::MakeReply { place } => self.worker.make_reply(place, deadline).instrument(span).await,
            Task::Greet { connection } => greet(&self.store, &self.push, connection).instrument(span).await,
        };
        done.map_err(|error| {
            tracing::error!(?error, "a task failed");
            lambda_runtime::Error::from(error.code().as_str())
        })
    }
}
