//! DynamoDB: the embedded database, its tables, and the proxy through which functions call it.

mod actions;
mod direct;
mod meter;
mod proxy;
mod tables;

use std::{path::Path, time::Duration};

use dynoxide::Database;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use meter::{Reading, Usage};
pub(crate) use proxy::{Guards, Proxy};

use crate::{access::Door, error::Error, template::TableDefinition};

/// How often expired items are deleted. The cloud may take days, so readers must filter expired items.
const TTL_SWEEP: Duration = Duration::from_secs(30);

/// Opens the database, in memory if there is no path, and creates the missing tables.
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

/// Creates the proxy. Expired items are deleted in the background until `stop`.
pub(crate) fn proxy(
    database: Database,
    door: Door,
    guards: Guards,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Proxy {
    tasks.spawn(sweep(database.clone(), stop.clone()));
    Proxy { database, door, guards }
}

async fn sweep(database: Database, stop: CancellationToken) {
    let mut tick = tokio::time::interval(TTL_SWEEP);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let database = database.clone();
        // The next sweep repeats one that failed.
        tokio::task::spawn_blocking(move || database.sweep_ttl().ok()).await.ok();
    }
}
