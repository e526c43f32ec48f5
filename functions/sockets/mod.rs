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
use shared::auth::{Count, FrameLimiter, Pace, Views};
use shared::domain::ConnectionId;
use shared::error::{Code, Error};
use shared::handover::Handover;
use shared::replies::{Replies, Turns};
use shared::sockets::{Push, ServerFrame};
use tracing::Instrument as _;

use crate::start::{self, Foundation, StartError};
use event::Event;

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
        let told = self.frames.tell(event.connection());
        let (told, ()) = tokio::join!(told, self.push.answer(event.connection(), frame));
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
        match self.frames.count(event.connection(), how).await? {
            Pace::Kept => event.check_size().map(|()| true),
            Pace::TooFast(seconds) => Err(Error::retry_after(Code::RateLimited, seconds)),
            Pace::Flood => {
                self.push.close(event.connection()).await;
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
