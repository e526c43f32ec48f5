//! DynamoDB: the embedded database, its tables, and the proxy the functions reach it through.

mod actions;
mod direct;
mod meter;
mod proxy;
mod tables;

use std::{net::SocketAddr, path::Path, time::Duration};

use dynoxide::Database;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use meter::{Reading, Usage};
pub(crate) use proxy::Guards;
use proxy::Proxy;

use crate::{error::Error, http1, listener::listen, template::TableDefinition};

/// How often expired items are deleted. (The cloud takes up to days; a reader must filter in any case.)
const TTL_SWEEP: Duration = Duration::from_secs(30);

/// Opens the database and makes the tables it lacks; without a path it lives in memory.
pub(crate) fn open(path: Option<&Path>, tables: &[TableDefinition]) -> Result<Database, Error> {
    let database = match path {
        Some(path) => Database::new(&path.to_string_lossy()),
        None => Database::memory(),
    };
    let database = database.map_err(|error| Error::Database(error.to_string()))?;
    for table in tables {
        tables::provide(&database, table)?;
    }
    Ok(database)
}

/// Serves the database, and the proxy before it, until `stop`; answers the proxy's address.
pub(crate) async fn serve(
    database: Database,
    guards: Guards,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<SocketAddr, Error> {
    let (backend, backend_address) = listen("127.0.0.1", 0).await?;
    let (front, address) = listen("127.0.0.1", 0).await?;
    let until = stop.clone().cancelled_owned();
    tasks.spawn(sweep(database.clone(), stop.clone()));
    let proxy = Proxy::new(database.clone(), backend_address, guards);
    tasks.spawn(async move {
        // It ends when it is told to; an accept error leaves the functions with a clear error of their own.
        dynoxide::server::serve_with_shutdown(backend, database, until).await.ok();
    });
    tasks.spawn(http1::serve(front, stop.clone(), tasks.clone(), move |request, _peer| {
        proxy.clone().handle(request)
    }));
    Ok(address)
}

async fn sweep(database: Database, stop: CancellationToken) {
    let mut tick = tokio::time::interval(TTL_SWEEP);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let database = database.clone();
        // A sweep that fails is tried again; expired items are invisible to a correct reader anyway.
        tokio::task::spawn_blocking(move || database.sweep_ttl().ok()).await.ok();
    }
}
