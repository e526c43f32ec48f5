//! The function `stats`: statistics of the caller, and the health of the studio.

mod basic;
mod detailed;
mod health;

use shared::Result;
use shared::auth::TtlCache;
use shared::http::{Answer, Group, Parameters, Request};
use shared::store::Totals;

use crate::costs::Accounting;
use crate::queries;
use crate::start::{self, AppContext, StartError};
use utoipa::OpenApi;

/// The OpenAPI document of this function's routes.
#[derive(OpenApi)]
#[openapi(paths(health::handle, basic::handle, detailed::handle))]
pub(crate) struct StatsApi;

/// What the handlers of this function share.
pub struct Stats {
    app: AppContext,
    accounting: Accounting,
    /// The totals of the studio as last read, because anybody may ask for `/health` as often as they like.
    totals: TtlCache<(), Totals>,
}

impl Stats {
    /// Reads the settings and creates the clients.
    ///
    /// # Errors
    /// All variables that are missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let mut variables = start::variables();
        let accounting = Accounting::of_reads(&mut variables);
        let app = AppContext::connect(variables, String::new()).await?;
        Ok(Self { app, accounting, totals: TtlCache::default() })
    }
}

impl Group for Stats {
    fn parameters(&self, route_key: &str) -> Parameters {
        queries::of(route_key)
    }

    async fn route(&self, request: &Request) -> Result<Answer> {
        // Boxed, because the compiler cannot lay out futures that are nested this deep.
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
