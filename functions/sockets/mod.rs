//! The WebSocket routes: connecting, disconnecting, and a handler for each type of frame.

mod auth;
mod chat;
mod connect;
mod disconnect;
mod other;
mod ping;
mod regenerate;
mod resume;
mod sender;
mod stop;
mod typing;

use std::sync::Arc;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::Result;
use shared::auth::{Count, FrameLimiter, Pace, Views};
use shared::domain::{ConnectionId, MessageId, Millis};
use shared::error::{Code, Error};
use shared::handover::Handover;
use shared::replies::{Replies, Turns};
use shared::sockets::{Push, ServerFrame};
use tracing::Instrument as _;

use crate::start::{self, Foundation, StartError};

/// What the handlers share.
pub struct Sockets {
    base: Foundation,
    push: Push,
    handover: Handover,
    replies: Replies,
    allowed_origins: Vec<String>,
    turns: Turns,
    frames: FrameLimiter,
    /// Connections that have an owner, and when the owner's token ends.
    authenticated: Views<ConnectionId, u64>,
}

/// Of 32 KB that API Gateway takes.
const MOST_FRAME_BYTES: usize = 30 * 1024;

/// What is read of a turn that is refused.
#[derive(Deserialize)]
struct Numbered {
    id: Option<MessageId>,
}

/// One event of a connection.
struct Event {
    connection: ConnectionId,
    connected_at: Millis,
    request: ApiGatewayWebsocketProxyRequest,
}

impl Event {
    fn new(request: ApiGatewayWebsocketProxyRequest) -> Result<Self> {
        let context = &request.request_context;
        let missing = || Error::internal("an event without its connection");
        let connection =
            context.connection_id.as_deref().and_then(|id| id.parse().ok()).ok_or_else(missing)?;
        let connected_at = Millis::saturating(u64::try_from(context.connected_at).unwrap_or_default());
        Ok(Self { connection, connected_at, request })
    }

    fn route_key(&self) -> &str {
        self.request.request_context.route_key.as_deref().unwrap_or_default()
    }

    /// The frame that the client sent.
    fn frame(&self) -> &[u8] {
        self.request.body.as_deref().unwrap_or_default().as_bytes()
    }

    /// API Gateway takes 32 KB; ours is less, so that what is longer gets an answer that helps.
    fn check_size(&self) -> Result<()> {
        if self.frame().len() <= MOST_FRAME_BYTES {
            return Ok(());
        }
        let detail = "A frame must have at most 30 KB. `POST /api/chat` with `Prefer: respond-async` takes longer texts";
        Err(Error::new(Code::BodyTooLarge, detail))
    }

    /// How a client is told that a frame was refused: of a turn, in the words of turns.
    fn refusal(&self, error: &Error) -> ServerFrame {
        if self.route_key() != "chat" {
            return ServerFrame::refusal(error);
        }
        let numbered = serde_json::from_slice::<Numbered>(self.frame());
        ServerFrame::turn_refused(numbered.ok().and_then(|frame| frame.id), error)
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.request.query_string_parameters.first(name)
    }
}

impl Sockets {
    /// Reads the environment and connects.
    ///
    /// # Errors
    /// Every variable that is missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let mut variables = start::variables();
        let (connections, function) =
            (variables.text("CONNECTIONS_TABLE"), variables.text("REPLIES_FUNCTION"));
        let endpoint = variables.text("WEBSOCKET_ENDPOINT");
        let allowed_origins = variables.list("ALLOWED_ORIGINS");
        let (offer, limits) = (start::offer(&mut variables)?, start::limits(&mut variables));
        let base = Foundation::lay(variables, connections).await?;
        let push = Push::connect(&base.aws.sdk, endpoint, base.store.clone());
        let handover = Handover::connect(&base.aws.sdk, function);
        let replies = Replies::new(base.store.clone(), push.clone());
        let turns = Turns::new(base.store.clone(), offer, limits);
        let (frames, authenticated) = (base.frame_limiter(), Views::default());
        Ok(Self { base, push, handover, replies, allowed_origins, turns, frames, authenticated })
    }

    /// Answers events until the runtime ends the process.
    ///
    /// # Errors
    /// When the Lambda Runtime API is out of reach.
    pub async fn serve(self) -> Result<(), StartError> {
        let sockets = Arc::new(self);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<ApiGatewayWebsocketProxyRequest>| {
            let sockets = Arc::clone(&sockets);
            async move { sockets.respond(event.payload).await }
        }))
        .await
    }

    async fn respond(
        &self,
        request: ApiGatewayWebsocketProxyRequest,
    ) -> Result<Value, lambda_runtime::Error> {
        let event = Event::new(request).map_err(|error| lambda_runtime::Error::from(format!("{error:?}")))?;
        let id = event.request.request_context.request_id.clone().unwrap_or_default();
        let span = tracing::info_span!("frame", id, route = event.route_key());
        // Boxed, since the compiler gives up on the layout of futures nested as deep as these.
        let status = Box::pin(self.route(&event)).instrument(span).await;
        Ok(json!({ "statusCode": status }))
    }

    /// The status for API Gateway. It decides over a connect; of a frame, nobody sees it, so what was wrong with one
    /// is pushed.
    async fn route(&self, event: &Event) -> u16 {
        if event.route_key() == "$connect" {
            return connect::handle(self, event).await;
        }
        let refusal = match self.admit(event).await {
            Ok(false) => return 200,
            Ok(true) => self.route_frame(event).await.map_err(|error| (ServerFrame::refusal(&error), error)),
            Err(error) => Err((event.refusal(&error), error)),
        };
        if let Err((frame, error)) = refusal {
            if error.code().is_our_fault() {
                tracing::error!(?error, "a frame failed");
            }
            self.refuse(event, &frame).await;
        }
        200
    }

    /// Says that a frame was refused. What was counted leniently was not worth it then.
    async fn refuse(&self, event: &Event, frame: &ServerFrame) {
        let told = self.frames.tell(&event.connection);
        let (told, ()) = tokio::join!(told, self.push.answer(&event.connection, frame));
        if let Err(error) = told {
            tracing::warn!(?error, "a frame was not counted");
        }
    }

    /// Whether a frame is to be handled. A connection that does not heed its limit is closed.
    ///
    /// # Errors
    /// [`Code::RateLimited`], [`Code::BodyTooLarge`].
    async fn admit(&self, event: &Event) -> Result<bool> {
        if event.route_key() == "$disconnect" {
            return Ok(true);
        }
        // A ping costs nothing else, and turns are bounded by what they may spend: those that are refused are told of.
        let how = if matches!(event.route_key(), "ping" | "chat") { Count::InSteps } else { Count::EachOne };
        match self.frames.count(&event.connection, how).await? {
            Pace::Kept => event.check_size().map(|()| true),
            Pace::TooFast(seconds) => Err(Error::retry_after(Code::RateLimited, seconds)),
            Pace::Flood => {
                self.push.close(&event.connection).await;
                Ok(false)
            }
        }
    }

    async fn route_frame(&self, event: &Event) -> Result<()> {
        match event.route_key() {
            "$disconnect" => disconnect::handle(self, event).await,
            "auth" => auth::handle(self, event).await,
            "ping" => ping::handle(self, event).await,
            "chat" => chat::handle(self, event).await,
            "stop" => stop::handle(self, event).await,
            "regenerate" => regenerate::handle(self, event).await,
            "resume" => resume::handle(self, event).await,
            "typing" => typing::handle(self, event).await,
            "$default" => other::handle(self, event).await,
            _ => Err(Error::internal("a route reached a function that has no handler for it")),
        }
    }
}
