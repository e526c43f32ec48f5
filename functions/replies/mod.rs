//! The function `replies`: makes replies and titles, and greets connections. Other functions invoke it asynchronously.

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

/// A worker ends its reply this long before Lambda stops the instance.
const BEFORE_DEADLINE: Duration = Duration::from_secs(10);
/// How long connections may take for the last frames after the reply has ended.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(8);

/// The event that the function is invoked with.
#[derive(Deserialize)]
#[serde(untagged)]
enum Invocation {
    /// A task of another function.
    Task(ReplyTask),
    /// A task that failed, as Lambda reports it to the failure destination.
    Stranded(Stranded),
}

/// The part of Lambda's report that is used here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stranded {
    request_payload: ReplyTask,
}

impl Invocation {
    /// The kind of the task, for logs.
    fn kind(&self) -> &'static str {
        match self {
            Self::Task(ReplyTask::MakeReply { .. }) => "make_reply",
            Self::Task(ReplyTask::Greet { .. }) => "greet",
            Self::Task(ReplyTask::Title { .. }) => "title",
            Self::Stranded(_) => "stranded",
        }
    }
}

/// What the tasks of this function share.
pub struct Replies {
    store: Store,
    connections: Connections,
    worker: Worker,
    replies: ReplyControl,
    titles: Titles,
}

impl Replies {
    /// Reads the settings and creates the clients.
    ///
    /// # Errors
    /// All variables that are missing or bad.
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

    /// Carries out tasks until the runtime ends the process.
    ///
    /// # Errors
    /// When the Lambda Runtime API is unavailable.
    pub async fn serve(self) -> Result<(), StartError> {
        let replies = Arc::new(self);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Invocation>| {
            let replies = Arc::clone(&replies);
            async move { replies.perform(event).await }
        }))
        .await
    }

    async fn perform(&self, event: LambdaEvent<Invocation>) -> Result<(), lambda_runtime::Error> {
        let span = tracing::info_span!("task", id = event.context.request_id, kind = event.payload.kind());
        let deadline = Millis::saturating(event.context.deadline);
        // Boxed, because the compiler cannot lay out futures that are nested this deep.
        let done = match &event.payload {
            Invocation::Task(ReplyTask::MakeReply { place }) => {
                Box::pin(self.make_reply(place, time_until(deadline))).instrument(span).await
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
            let (id, kind) = (&event.context.request_id, event.payload.kind());
            tracing::error!(id, kind, ?error, "cannot carry out a task");
            lambda_runtime::Error::from(error.code().as_str())
        })
    }

    async fn make_reply(&self, place: &ReplyPlace, time: TimeLimits) -> Result<()> {
        match self.worker.make_reply(place, time).await {
            Ok(Some(made)) if made.is_first => self.title(place).await,
            Err(error) if error.code().is_our_fault() => return Err(error),
            // An error of the provider has been stored with the reply and sent to its subscribers.
            Ok(_) | Err(_) => {}
        }
        Ok(())
    }

    /// Titles a conversation. A failure is only logged: the conversation keeps its first words as its title.
    async fn title(&self, place: &ReplyPlace) {
        if let Err(error) = self.titles.generate(place).await {
            tracing::warn!(?error, "could not title a conversation");
        }
    }

    /// Handles a task that Lambda reports as failed: ends its reply, or greets the connection. A failed title task is
    /// ignored: the conversation keeps its first words as its title.
    async fn end_stranded(&self, stranded: &Stranded) -> Result<()> {
        match &stranded.request_payload {
            ReplyTask::MakeReply { place } => self.replies.end_stranded(place).await,
            ReplyTask::Greet { connection } => greet(&self.store, &self.connections, connection).await,
            ReplyTask::Title { .. } => Ok(()),
        }
    }
}

/// The time for a reply until `deadline`, at which Lambda stops the instance.
fn time_until(deadline: Millis) -> TimeLimits {
    let left = Duration::from_millis(deadline.get().saturating_sub(clock::now().get()));
    TimeLimits { stop_at: Instant::now() + left.saturating_sub(BEFORE_DEADLINE), delivery: DELIVERY_TIMEOUT }
}
