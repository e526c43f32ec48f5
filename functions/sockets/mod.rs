//! The function `sockets`: connecting, disconnecting, and a handler for each type of frame.

mod auth;
mod chat;
mod connect;
mod disconnect;
mod event;
mod other;
mod ping;
mod regenerate;
mod resume;
mod sender;
mod stop;
mod typing;

use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use shared::Result;
use shared::auth::{Count, FrameLimiter, Pace, TtlCache};
use shared::aws::async_invoke::AsyncInvoker;
use shared::chat::{Connections, ReplyControl, Turns};
use shared::clock;
use shared::domain::{ConnectionId, Network};
use shared::error::{Code, Error};
use shared::sockets::{Closing, ServerFrame};
use tracing::Instrument as _;

use crate::start::{self, AppContext, StartError};
use event::Event;
use sender::Sender;

/// API Gateway lets no connection live longer than two hours.
const MOST_LIFE_MILLIS: u64 = 2 * 3600 * 1000;

/// What the handlers of this function share.
pub struct Sockets {
    app: AppContext,
    connections: Connections,
    invoker: AsyncInvoker,
    replies: ReplyControl,
    allowed_origins: Vec<String>,
    turns: Turns,
    frames: FrameLimiter,
    /// Connections that have an owner, with the time at which the owner's token ends.
    authenticated: TtlCache<ConnectionId, u64>,
    /// Connections that had no owner when they last sent a frame.
    unauthenticated: TtlCache<ConnectionId, ()>,
    /// Networks that have used up [`Rate::WAITS`](shared::domain::Rate::WAITS); the value is the second.
    waits_exhausted: TtlCache<Network, u64>,
    /// Connections that were closed. Frames that still arrive are ignored.
    closed: TtlCache<ConnectionId, ()>,
}

impl Sockets {
    /// Reads the settings and creates the clients.
    ///
    /// # Errors
    /// All variables that are missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let mut variables = start::variables();
        let (connections_table, function) =
            (variables.text("CONNECTIONS_TABLE"), variables.text("REPLIES_FUNCTION"));
        let endpoint = variables.text("WEBSOCKET_ENDPOINT");
        let mut allowed_origins = variables.list("ALLOWED_ORIGINS");
        allowed_origins.extend(variables.list("OWN_ORIGINS"));
        let (offer, limits) = (start::offer(&mut variables)?, start::limits(&mut variables));
        let app = AppContext::connect(variables, connections_table).await?;
        let connections = Connections::connect(&app.aws, endpoint, app.store.clone());
        let invoker = AsyncInvoker::connect(&app.aws, function);
        let replies = ReplyControl::new(app.store.clone(), connections.clone());
        let turns = Turns::new(app.store.clone(), offer, limits);
        let frames = app.frame_limiter();
        Ok(Self {
            app,
            connections,
            invoker,
            replies,
            allowed_origins,
            turns,
            frames,
            authenticated: TtlCache::default(),
            unauthenticated: TtlCache::default(),
            waits_exhausted: TtlCache::default(),
            closed: TtlCache::default(),
        })
    }

    /// Answers events until the runtime ends the process.
    ///
    /// # Errors
    /// When the Lambda Runtime API is unavailable.
    pub async fn serve(self) -> Result<(), StartError> {
        let sockets = Arc::new(self);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
            let sockets = Arc::clone(&sockets);
            async move { Ok::<_, StartError>(sockets.respond(&event.payload).await) }
        }))
        .await
    }

    async fn respond(&self, event: &Event) -> Value {
        let span = tracing::info_span!("frame", id = event.request_id(), route = event.route_key());
        // Boxed, because the compiler cannot lay out futures that are nested this deep.
        let status = Box::pin(self.route(event)).instrument(span).await;
        json!({ "statusCode": status })
    }

    /// The status for API Gateway. It decides whether a connection opens. For a frame it has no effect, so errors are
    /// pushed to the connection.
    async fn route(&self, event: &Event) -> u16 {
        match event.route_key() {
            "$connect" => return connect::handle(self, event).await,
            "$disconnect" => disconnect::handle(self, event).await,
            _ if self.cached(&self.closed, event).is_some() => {}
            _ => self.handle_frame(event).await,
        }
        200
    }

    async fn handle_frame(&self, event: &Event) {
        let refusal = match self.admit(event).await {
            Ok(false) => return,
            Ok(true) => self.route_frame(event).await.map_err(|error| (ServerFrame::refusal(&error), error)),
            Err(error) => Err((event.refusal(&error), error)),
        };
        let Err((frame, error)) = refusal else { return };
        if error.code().is_our_fault() {
            tracing::error!(kind = event.route_key(), ?error, "cannot handle a frame");
        }
        match error.code() {
            // `sender::find` counts the frames of connections without an owner.
            Code::Unauthenticated => self.connections.answer(event.connection(), &frame).await,
            _ => self.refuse(event, &frame).await,
        }
    }

    /// The entry of the connection in a cache of this instance.
    fn cached<V: Clone>(&self, cache: &TtlCache<ConnectionId, V>, event: &Event) -> Option<V> {
        cache.get(event.connection(), clock::now(), MOST_LIFE_MILLIS)
    }

    /// Closes the connection that sent a frame, and ignores its further frames.
    async fn close(&self, event: &Event) {
        self.connections.drop_connection(event.connection()).await;
        self.hang_up(event).await;
    }

    /// Closes the connection that sent a frame, whose item is deleted already.
    async fn hang_up(&self, event: &Event) {
        if self.connections.hang_up(event.connection()).await != Closing::Failed {
            self.closed.insert(event.connection().clone(), (), clock::now());
        }
    }

    /// Tells the client that a frame was refused. Frames that only this instance had counted are counted in the store
    /// now.
    async fn refuse(&self, event: &Event, frame: &ServerFrame) {
        let flush = self.frames.flush(event.connection());
        let (flushed, ()) = tokio::join!(flush, self.connections.answer(event.connection(), frame));
        if let Err(error) = flushed {
            tracing::warn!(?error, "could not count a frame");
        }
    }

    /// Counts a frame, and returns whether it may be handled. A connection that sends twice the limit is closed.
    ///
    /// # Errors
    /// [`Code::RateLimited`].
    async fn admit(&self, event: &Event) -> Result<bool> {
        // A ping costs next to nothing, and the daily limits bound turns.
        let how = if matches!(event.kind(), "ping" | "chat") { Count::InSteps } else { Count::EachOne };
        match self.frames.count(event.connection(), how).await? {
            Pace::WithinLimit => Ok(true),
            Pace::TooFast(seconds) => Err(Error::retry_after(Code::RateLimited, seconds)),
            Pace::Flood => {
                self.close(event).await;
                Ok(false)
            }
        }
    }

    /// Handles an `auth` frame of any connection, and other frames of authenticated connections.
    async fn route_frame(&self, event: &Event) -> Result<()> {
        // A connection keeps its owner, so a ping of a known connection needs no read.
        let is_known =
            self.cached(&self.authenticated, event).is_some_and(|ends| ends > clock::now().seconds());
        match event.kind() {
            "auth" => Box::pin(auth::handle(self, event)).await,
            "ping" if is_known => ping::handle(self, event).await,
            _ => match Box::pin(sender::find(self, event)).await? {
                Some(sender) => match event.check_size() {
                    Ok(()) => Box::pin(self.route_authenticated(&sender, event)).await,
                    Err(error) => {
                        self.refuse(event, &event.refusal(&error)).await;
                        Ok(())
                    }
                },
                None => Ok(()),
            },
        }
    }

    async fn route_authenticated(&self, sender: &Sender, event: &Event) -> Result<()> {
        match event.kind() {
            "ping" => ping::handle(self, event).await,
            "chat" => chat::handle(self, event, sender).await,
            "stop" => stop::handle(self, event, sender).await,
            "regenerate" => regenerate::handle(self, event, sender).await,
            "resume" => resume::handle(self, event, sender).await,
            "typing" => typing::handle(self, event, sender).await,
            "$default" => other::handle(event),
            _ => Err(Error::internal("a route reached a function that has no handler for it")),
        }
    }
}
