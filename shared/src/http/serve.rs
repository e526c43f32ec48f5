//! Runs a group of routes as a Lambda function.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use lambda_http::{Body, http::Response, service_fn};
use tracing::Instrument as _;

use super::{Answer, Parameters, Request, problem};
use crate::error::{Code, Error, Result};

/// The routes of one function, and what their handlers share.
pub trait Group: Send + Sync + 'static {
    /// The query parameters of the route with this key.
    fn parameters(&self, route_key: &str) -> Parameters;

    /// Passes the request to the handler of its route key.
    fn route(&self, request: &Request) -> impl Future<Output = Result<Answer>> + Send;
}

/// Answers requests until the runtime ends the process.
///
/// # Errors
/// When the Lambda Runtime API is unavailable.
pub async fn serve(group: impl Group) -> Result<(), lambda_http::Error> {
    let group = Arc::new(group);
    lambda_http::run(service_fn(move |event| {
        let group = Arc::clone(&group);
        async move { Ok::<_, Infallible>(respond(&*group, Request::new(event)).await) }
    }))
    .await
}

async fn respond(group: &impl Group, request: Request) -> Response<Body> {
    let start = Instant::now();
    let span = tracing::info_span!("request", id = request.id(), route = request.route_key());
    let answer = async {
        let answer = match request.declare(group.parameters(request.route_key())) {
            Ok(()) => group.route(&request).await,
            Err(error) => Err(error),
        };
        let answer = answer.unwrap_or_else(|error| problem::answer(&error, request.id()));
        let milliseconds = start.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(status = answer.status.as_u16(), milliseconds, "answered");
        answer
    };
    let mut answer = answer.instrument(span).await;
    if let Some(allowance) = request.allowance() {
        answer = answer.with_allowance(&allowance);
    }
    let answer = if request.is_head() { answer.without_body() } else { answer };
    answer.into_response(request.id(), start.elapsed().as_secs_f64())
}

impl Request {
    /// The error for a route that the function has no handler for.
    #[must_use]
    pub fn unrouted(&self) -> Error {
        tracing::error!("a route reached a function that has no handler for it");
        Error::new(Code::NotFound, "Not Found")
    }
}
