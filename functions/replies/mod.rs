//! Work that goes on after its caller was answered: making replies, greeting connections. Invoked asynchronously.

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::{LambdaEvent, service_fn};
use serde::Deserialize;
use shared::Result;
use shared::aws;
use shared::chat::{Connections, ReplyControl, ReplyTask, TimeLimits, Titles, Turns, Worker, greet};
use shared::clock;
use shared::domain::{Millis, ReplyPlace};
use shared::store::Store;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::start::{self, StartError};

/// A reply ends itself this long before its worker is stopped from outside.
const BEFORE_DEADLINE: Duration = Duration::from_secs(10);
/// How long the last frames may take after the reply has ended.
const FAREWELL: Duration = Duration::from_secs(8);

/// What the function is invoked with.
#[derive(Deserialize)]
#[serde(untagged)]
enum Invocation {
    /// Something to do.
    Task(ReplyTask),
    /// What Lambda tells a failure destination: a task that was not done.
    Stranded(Stranded),
}

/// The part of Lambda's record that matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stranded {
    request_payload: ReplyTask,
}

/// What the tasks share.
pub struct Replies {
    store: Store,
    connections: Connections,
    worker: Worker,
    replies: ReplyControl,
    titles: Titles,
}

impl Replies {
    /// Reads the environment and connects.
    ///
    /// # Errors
    /// Every variable that is missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let mut variables = start::variables();
        let (providers, limits) = (start::providers(&mut variables)?, start::limits(&mut variables));
        let (studio, connections_table) =
            (variables.text("STUDIO_TABLE"), variables.text("CONNECTIONS_TABLE"));
        let endpoint = variables.text("WEBSOCKET_ENDPOINT");
        let aws = aws::config(&mut variables)?;
        variables.done(Some(()))?;
        let store = Store::connect(&aws, studio, connections_table);
        let connections = Connections::connect(&aws, endpoint, store.clone());
        let models = Box::pin(providers.connect(&aws)).await?;
        let replies = ReplyControl::new(store.clone(), connections.clone());
        let turns = Turns::new(store.clone(), models.offer().clone(), limits);
        let worker = Worker::new(store.clone(), models.clone(), turns.clone(), connections.clone());
        let titles = Titles::new(store.clone(), models, turns, connections.clone());
        Ok(Self { store, connections, worker, replies, titles })
    }

    /// Does tasks until the runtime ends the process.
    ///
    /// # Errors
    /// When the Lambda Runtime API is out of reach.
    pub async fn serve(self) -> Result<(), StartError> {
        let replies = Arc::new(self);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Invocation>| {
            let replies = Arc::clone(&replies);
            async move { replies.perform(event).await }
        }))
        .await
    }

    async fn perform(&self, event: LambdaEvent<Invocation>) -> Result<(), lambda_runtime::Error> {
        let span = tracing::info_span!("task", id = event.context.request_id);
        let deadline = Millis::saturating(event.context.deadline);
        // Boxed, since the compiler gives up on the layout of futures nested as deep as these.
        let done = match &event.payload {
            Invocation::Task(ReplyTask::MakeReply { place }) => {
                Box::pin(self.make_reply(place, time(deadline))).instrument(span).await
            }
            Invocation::Task(ReplyTask::Greet { connection }) => {
                Box::pin(greet(&self.store, &self.connections, connection)).instrument(span).await
            }
            Invocation::Task(ReplyTask::Title { place }) => {
                Box::pin(self.titles.generate(place)).instrument(span).await
            }
            Invocation::Stranded(stranded) => Box::pin(self.end_stranded(stranded)).instrument(span).await,
        };
        done.map_err(|error| {
            tracing::error!(?error, "a task failed");
            lambda_runtime::Error::from(error.code().as_str())
        })
    }

    async fn make_reply(&self, place: &ReplyPlace, time: TimeLimits) -> Result<()> {
        match self.worker.make_reply(place, time).await {
            Ok(Some(made)) if made.is_first => self.title(place).await,
            Err(error) if error.code().is_our_fault() => return Err(error),
            // One that its provider failed has ended well, as far as we go.
            Ok(_) | Err(_) => {}
        }
        Ok(())
    }

    /// Without a title, the first words stay.
    async fn title(&self, place: &ReplyPlace) {
        if let Err(error) = self.titles.generate(place).await {
            tracing::warn!(?error, "a conversation gets no title");
        }
    }

    /// A reply that nobody makes any more ends; a client may wait for its greeting; a title that was not given is no loss.
    async fn end_stranded(&self, stranded: &Stranded) -> Result<()> {
        match &stranded.request_payload {
            ReplyTask::MakeReply { place } => self.replies.end_stranded(place).await,
            ReplyTask::Greet { connection } => greet(&self.store, &self.connections, connection).await,
            ReplyTask::Title { .. } => Ok(()),
        }
    }
}

/// How much time there is until `deadline`, at which the instance is stopped from outside.
fn time(deadline: Millis) -> TimeLimits {
    let left = Duration::from_millis(deadline.get().saturating_sub(clock::now().get()));
    TimeLimits { stop_at: Instant::now() + left.saturating_sub(BEFORE_DEADLINE), delivery: FAREWELL }
}
