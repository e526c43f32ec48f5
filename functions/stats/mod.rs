//! Statistics of the caller, and the health of the whole studio.

mod basic;
mod detailed;
mod health;

use std::sync::Mutex;

use shared::Result;
use shared::http::{Answer, Group, Parameters, Request};

use crate::costs::Accounting;
use crate::queries;
use crate::start::{self, AppContext, StartError};
use utoipa::OpenApi;

/// What this group says of its routes.
#[derive(OpenApi)]
#[openapi(paths(health::handle, basic::handle, detailed::handle))]
pub(crate) struct StatsApi;

/// What the handlers of this group share.
pub struct Stats {
    app: AppContext,
    accounting: Accounting,
    /// The totals as last read, since `/health` is asked often and by anybody.
    totals: Mutex<Option<health::Seen>>,
}

impl Stats {
    /// Reads the environment and connects.
    ///
    /// # Errors
    /// Every variable that is missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let mut variables = start::variables();
        let accounting = Accounting::of_reads(&mut variables);
        let app = AppContext::connect(variables, String::new()).await?;
        Ok(Self { app, accounting, totals: Mutex::default() })
    }
}

impl Group for Stats {
    fn parameters(&self, route_key: &str) -> Parameters {
        queries::of(route_key)
    }

    async fn route(&self, request: &Request) -> Result<Answer> {
        // Boxed, since the compiler gives up on the layout of futures nested as deep as these.
        let work = Box::pin(self.handle(request));
        Box::pin(self.accounting.account(&self.app.store, request, work)).await
    }
}

impl Stats {
    async fn handle(&self, request: &Request) -> Result<Answer> {
        match request.route_key() {
            "GET /health" => health::handle(self).await,
            "GET /api/stats" => basic::handle(self, request).await,
            "GET /api/stats/detailed" => detailed::handle(self, request).await,
            _ => Err(request.unrouted()),
        }
    }
}
