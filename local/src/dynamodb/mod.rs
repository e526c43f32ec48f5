//! DynamoDB: the embedded database, its tables, and the proxy the functions reach it through.

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

/// What answers the calls of DynamoDB. Expired items are deleted until `stop`.
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
        // A sweep that fails is tried again; expired items are invisible to a correct reader anyway.
        tokio::task::spawn_blocking(move || database.sweep_ttl().ok()).await.ok();
    }
}
