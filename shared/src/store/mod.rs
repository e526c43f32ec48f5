//! The only door to DynamoDB. Each operation says what it promises when others work at the same time.

mod api_keys;
mod attempts;
mod bulk;
mod connections;
mod conversations;
mod deletion;
mod expression;
mod items;
mod key;
mod limits;
mod profile;
mod replacement;
mod replies;
mod sessions;
mod statistics;
mod tickets;
mod totals;
mod transaction;
mod turns;
mod users;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;

pub use api_keys::{KeyOwner, NewKey};
pub use attempts::Attempts;
pub use connections::{Connection, Owner};
pub use conversations::{Cursor, Listed};
pub use replies::{Ending, Lease, ReplyPlace};
pub use sessions::{NewSession, Rotation};
pub use statistics::Statistics;
pub use totals::Totals;
pub use turns::{LooseTurn, StartedTurn, StoredTurn};
pub use users::{Account, NewUser};

/// A client of both tables. Cloning it is cheap.
#[derive(Clone)]
pub struct Store {
    client: Client,
    studio: String,
    connections: String,
}

impl Store {
    /// A store over the tables with these names. A function that keeps no connections names no table for them.
    #[must_use]
    pub fn connect(aws: &SdkConfig, studio_table: String, connections_table: String) -> Self {
        Self { client: Client::new(aws), studio: studio_table, connections: connections_table }
    }
}
