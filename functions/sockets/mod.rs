//! The WebSocket routes: connecting, disconnecting, and a handler for each type of frame.

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
use shared::auth::{FrameLimiter, Pace, TtlCache};
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

/// What the handlers share.
pub struct Sockets {
    app: AppContext,
    connections: Connections,
    invoker: AsyncInvoker,
    replies: ReplyControl,
    allowed_origins: Vec<String>,
    turns: Turns,
    frames: FrameLimiter,
    /// Connections that have an owner, and when the owner's token ends.
    authenticated: TtlCache<ConnectionId, u64>,
    /// Connections that had no owner when they were seen.
    strangers: TtlCache<ConnectionId, ()>,
    /// Networks whose frames have waited often enough for an `auth` frame, each in the second with this number.
    crowded: TtlCache<Network, u64>,
    /// Connections that were closed: what comes of them still is nobody's business.
    closed: TtlCache<ConnectionId, ()>,
}

impl Sockets {
    /// Reads the environment and connects.
    ///
    /// # Errors
    /// Every variable that is missing or bad.
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
            strangers: TtlCache::default(),
            crowded: TtlCache::default(),
            closed: TtlCache::default(),
        })
    }

    /// Answers events until the runtime ends the process.
    ///
    /// # Errors
    /// When the Lambda Runtime API is out of reach.
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
        // Boxed, since the compiler gives up on the layout of futures nested as deep as these.
        let status = Box::pin(self.route(event)).instrument(span).await;
        json!({ "statusCode": status })
    }

    /// The status for API Gateway. It decides over a connect; of a frame, nobody sees it, so what was wrong with one
    /// is pushed.
    async fn route(&self, event: &Event) -> u16 {
        match event.route_key() {
            "$connect" => return connect::handle(self, event).await,
            "$disconnect" => disconnect::handle(self, event).await,
            _ if self.knows(&self.closed, event).is_some() => {}
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
            tracing::error!(?error, "a frame failed");
        }
        self.connections.answer(event.connection(), &frame).await;
    }

    /// What this instance remembers of the connection: as long as API Gateway lets one live.
    fn knows<V: Clone>(&self, views: &TtlCache<ConnectionId, V>, event: &Event) -> Option<V> {
        views.recent(event.connection(), clock::now(), MOST_LIFE_MILLIS)
    }

    /// Closes the connection that sent a frame. What else it has sent is not handled.
    async fn close(&self, event: &Event) {
        self.connections.drop_connection(event.connection()).await;
        self.hang_up(event).await;
    }

    /// Closes the connection that sent a frame, when its row is deleted already.
    async fn hang_up(&self, event: &Event) {
        if self.connections.hang_up(event.connection()).await != Closing::Failed {
            self.closed.remember(event.connection().clone(), (), clock::now());
        }
    }

    /// Whether a frame is to be handled. A connection that does not heed its limit is closed.
    ///
    /// # Errors
    /// [`Code::RateLimited`].
    async fn admit(&self, event: &Event) -> Result<bool> {
        match self.frames.count(event.connection()).await? {
            Pace::Kept => Ok(true),
            Pace::TooFast(seconds) => Err(Error::retry_after(Code::RateLimited, seconds)),
            Pace::Flood => {
                self.close(event).await;
                Ok(false)
            }
        }
    }

    /// Handles an `auth` frame, whoever sends it, and any other of a connection that has authenticated.
    async fn route_frame(&self, event: &Event) -> Result<()> {
        // A connection keeps its owner, so once it is known, a ping costs no look.
        let lasts = self.knows(&self.authenticated, event).is_some_and(|ends| ends > clock::now().seconds());
        match event.kind() {
            "auth" => Box::pin(auth::handle(self, event)).await,
            "ping" if lasts => ping::handle(self, event).await,
            _ => match Box::pin(sender::find(self, event)).await? {
                Some(sender) => match event.check_size() {
                    Ok(()) => Box::pin(self.route_frame_of(&sender, event)).await,
                    Err(error) => {
                        self.connections.answer(event.connection(), &event.refusal(&error)).await;
                        Ok(())
                    }
                },
                None => Ok(()),
            },
        }
    }

    async fn route_frame_of(&self, sender: &Sender, event: &Event) -> Result<()> {
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
